package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// label matches the first line of a node's label in a mermaid flowchart.
var label = regexp.MustCompile(`\["?([^<"\]]+)`)

// TestFlow checks that the ```mermaid picture in README.md has the steps of the first
// job in ci.yml, in order.
func TestFlow(t *testing.T) {
	var workflow struct {
		Jobs map[string]struct{ Steps []struct{ Name string } }
	}
	if err := yaml.Unmarshal([]byte(read(t, ".github/workflows/ci.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, step := range workflow.Jobs["workspace"].Steps {
		want = append(want, step.Name)
	}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if p.path != "README.md" || b.language != "mermaid" {
				continue
			}
			for _, line := range b.lines {
				if strings.HasPrefix(strings.TrimSpace(line), "subgraph") {
					continue
				}
				for _, m := range label.FindAllStringSubmatch(line, -1) {
					got = append(got, m[1])
				}
			}
		}
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the picture has the steps\n%q, ci.yml\n%q", got, want)
	}
}
