package docs

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImports checks that packages below internal/ do not import the command line, and
// that those that read a checkout import neither YAML nor HTTP without need.
func TestImports(t *testing.T) {
	const commandLine = "cachekey/internal/cli github.com/spf13/cobra github.com/spf13/pflag golang.org/x/term"
	forbidden := map[string]string{
		"cachekey/internal/source":  "go.yaml.in/yaml/v4 net/http",
		"cachekey/internal/key":     "net/http",
		"cachekey/internal/prune":   "net/http",
		"cachekey/internal/seal":    "net/http",
		"cachekey/internal/message": "cachekey/internal/disk go.yaml.in/yaml/v4 net/http",
		"cachekey/internal/disk":    "go.yaml.in/yaml/v4 net/http",
	}
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./internal/...", "./tools/...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		deps := strings.Fields(line)
		pkg, deps := deps[0], deps[1:]
		not := strings.Fields(forbidden[pkg])
		switch {
		case strings.HasPrefix(pkg, "cachekey/tools/"):
			not = []string{"github.com/spf13/cobra/doc"}
		case pkg != "cachekey/internal/cli":
			not = append(not, strings.Fields(commandLine)...)
		}
		if forbidden[pkg] != "" {
			seen++
		}
		for _, dep := range not {
			if slices.Contains(deps, dep) {
				t.Errorf("%s depends on %s", pkg, dep)
			}
		}
	}
	if seen != len(forbidden) {
		t.Errorf("saw %d of %d packages", seen, len(forbidden))
	}
}
