package workflow

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	ourUse    = regexp.MustCompile(`OWNER/cachekey[\w./-]*@(\S+)`)
)

// TestWorkflowsOfCIPage runs the ```yaml blocks of docs/ci.md, a workflow and the steps of
// a job, as they are, twice for one commit.
func TestWorkflowsOfCIPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/ci.md"))
	must(t, err)
	blocks := yamlBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("the page has %d workflows", len(blocks))
	}
	steps := "on: push\npermissions: {}\njobs:\n  same:\n    runs-on: ubuntu-24.04\n    timeout-minutes: 10\n" + blocks[1][1]
	for name, workflow := range map[string]string{"a whole workflow": blocks[0][1], "steps": steps} {
		t.Run(name, func(t *testing.T) {
			origin, h := consumer(t)
			h.needNix(t)
			h.extra["PATH"] = programs(t) + ":" + os.Getenv("PATH")
			for _, use := range ourUse.FindAllStringSubmatch(workflow, -1) {
				if use[1] != ownVersion(t) {
					t.Errorf("%s does not have this version, %s", use[0], ownVersion(t))
				}
				h.doubles["OWNER/cachekey@"+use[1]] = h.extra["HARNESS_PUBLISHED"]
			}
			const file = ".github/workflows/page.yml"
			commit(t, origin, "the page's", map[string]string{file: workflow})
			command(t, origin, tool(t, "github.com/rhysd/actionlint/cmd/actionlint"), "-no-color")
			for n, want := range []map[string]string{
				{"sorted": "ran", "counted": "ran", "checked": "ran"},
				{"sorted": "cached", "counted": "cached", "checked": "cached"},
			} {
				r := h.run(t, event{workflow: file})
				if r.jobs["same"] != "success" {
					t.Fatalf("run %d ended as %v", n+1, r.jobs)
				}
				if got := r.tasks("same"); !maps.Equal(got, want) {
					t.Errorf("run %d: tasks %v, want %v", n+1, got, want)
				}
				if got := h.keys(t); len(got) != 1 || !strings.HasPrefix(got[0], "same-v1-") {
					t.Errorf("run %d: the entries are %q", n+1, got)
				}
			}
		})
	}
}

// ownVersion returns the tag of the release of this tree.
func ownVersion(t *testing.T) string {
	t.Helper()
	nix, err := os.ReadFile(filepath.Join(root, "nix/package.nix"))
	must(t, err)
	return "v" + regexp.MustCompile(`(?m)^  version = "(.*)";$`).FindStringSubmatch(string(nix))[1]
}
