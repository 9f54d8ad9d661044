package workflow

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const root = "../.."

// yamlFiles returns the workflows and actions of this repository, and those that
// docs/ci.md recommends to copy.
func yamlFiles(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"action.yml", "*/action.yml", ".github/workflows/*.yml", "docs/ci/*.yml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		must(t, err)
		files = append(files, found...)
	}
	if len(files) < 5 {
		t.Fatalf("found only %q", files)
	}
	return files
}

// TestActionlint checks workflows, and the local actions that they use. Forgejo's
// differ from GitHub's only in the names of runners.
func TestActionlint(t *testing.T) {
	actionlint := tool(t, "github.com/rhysd/actionlint/cmd/actionlint")
	command(t, root, actionlint, "-no-color")
	command(t, root, actionlint, "-no-color", "-ignore", `label "docker" is unknown`, "docs/ci/forgejo.yml")
}

var pinned = regexp.MustCompile(`^uses: (\./\S*|[\w.-]+/[\w.-]+(/[\w./-]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`)

// TestActionsArePinned checks that actions are pinned by commit, since a tag can
// move, with the version in a comment.
func TestActionsArePinned(t *testing.T) {
	versions := map[string]string{}
	for _, file := range yamlFiles(t) {
		text, err := os.ReadFile(file)
		must(t, err)
		for n, line := range strings.Split(string(text), "\n") {
			use := strings.TrimPrefix(strings.TrimSpace(line), "- ")
			if !strings.HasPrefix(use, "uses:") {
				continue
			}
			if !pinned.MatchString(use) {
				t.Errorf("%s:%d: not pinned by commit with the version in a comment: %s", file, n+1, use)
				continue
			}
			name, pin, _ := strings.Cut(use, "@")
			action := strings.Join(strings.SplitN(name, "/", 3)[:min(2, strings.Count(name, "/")+1)], "/")
			if before, ok := versions[action]; ok && before != pin && pin != "" {
				t.Errorf("%s:%d: %s is %s here and %s elsewhere", file, n+1, action, pin, before)
			}
			versions[action] = pin
		}
	}
}

// A document is the part of a workflow or an action that these tests check.
type document struct {
	On          any
	Permissions any
	Concurrency any
	Jobs        map[string]job
	Inputs      map[string]struct{ Description string }
	Runs        struct{ Steps []step }
}

type job struct {
	Timeout     any `yaml:"timeout-minutes"`
	Permissions any
	Env         map[string]string
	Uses        string
	Steps       []step
}

type step struct {
	Name, Uses, Run, Shell string
	With                   map[string]any
}

func read(t *testing.T, file string) document {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

func (d document) steps() []step {
	steps := d.Runs.Steps
	for _, j := range d.Jobs {
		steps = append(steps, j.Steps...)
	}
	return steps
}

// TestNoExpressionInScripts checks that values are passed in env:
// an expression in a script would be executed as code.
func TestNoExpressionInScripts(t *testing.T) {
	runs := 0
	for _, file := range yamlFiles(t) {
		for _, s := range read(t, file).steps() {
			if s.Run == "" {
				continue
			}
			runs++
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s: step %q has an expression in its script", file, s.Name)
			}
			if strings.Contains(s.Run, "GITHUB_ENV") {
				t.Errorf("%s: step %q writes to GITHUB_ENV", file, s.Name)
			}
		}
	}
	if runs < 10 {
		t.Errorf("saw only %d scripts", runs)
	}
}

// TestWorkflowPermissions checks permissions and time limits, and that no credential stays
// where a task could read it.
func TestWorkflowPermissions(t *testing.T) {
	for _, file := range yamlFiles(t) {
		d := read(t, file)
		if len(d.Jobs) == 0 {
			continue
		}
		if p, ok := d.Permissions.(map[string]any); !ok || len(p) != 0 {
			t.Errorf("%s: permissions are %v, not {}", file, d.Permissions)
		}
		for name, j := range d.Jobs {
			if j.Uses == "" && j.Timeout == nil {
				t.Errorf("%s: job %s has no timeout-minutes", file, name)
			}
			for variable, value := range j.Env {
				if strings.Contains(value, "secrets.") {
					t.Errorf("%s: job %s shows a secret in %s to every step, tasks too", file, name, variable)
				}
			}
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s: job %s keeps the checkout's credentials", file, name)
				}
				if strings.HasPrefix(s.Uses, "actions/setup-go@") && s.With["cache"] != false {
					t.Errorf("%s: job %s has setup-go's own cache", file, name)
				}
			}
		}
	}
}

// TestReleaseRestoresNoCache checks that nothing from a cache gets into a release.
func TestReleaseRestoresNoCache(t *testing.T) {
	for _, s := range read(t, filepath.Join(root, ".github/workflows/release.yml")).steps() {
		if strings.Contains(s.Uses, "cache") || s.Uses == "./" || strings.Contains(s.Run, "same run") {
			t.Errorf("step %q restores a cache", s.Name)
		}
	}
}

// TestOrderOfWorkspaceJob checks that the cache is restored before the tasks and
// saved after them.
func TestOrderOfWorkspaceJob(t *testing.T) {
	var names []string
	for _, s := range read(t, filepath.Join(root, ".github/workflows/ci.yml")).Jobs["workspace"].Steps {
		names = append(names, s.Name)
	}
	order := []string{
		"Checkout", "Install Nix", "Key", "Restore .same", "Verify and realise", "Generate Go source files",
		"Run tests", "Build", "What was cached is skipped", "Prune and seal", "Save .same",
	}
	at := -1
	for _, name := range order {
		next := slices.Index(names, name)
		if next <= at {
			t.Errorf("step %q is at %d, not after %d: %q", name, next, at, names)
		}
		at = next
	}
}

var inputUsed = regexp.MustCompile(`inputs\.([\w-]+)`)

// TestInputsAreDescribedAndUsed checks the inputs of composite actions. actionlint
// does not check their expressions, where a misspelt input is empty.
func TestInputsAreDescribedAndUsed(t *testing.T) {
	for _, file := range []string{"action.yml", "save/action.yml"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		must(t, err)
		declared := read(t, filepath.Join(root, file)).Inputs
		used := map[string]bool{}
		for _, m := range inputUsed.FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
			if _, ok := declared[m[1]]; !ok {
				t.Errorf("%s uses the input %q, which it does not declare", file, m[1])
			}
		}
		for name, input := range declared {
			if !used[name] || input.Description == "" {
				t.Errorf("%s: input %q is used: %v, described as %q", file, name, used[name], input.Description)
			}
		}
	}
}

// TestReusableWorkflowPassesEveryInput compares its inputs with those of the actions.
func TestReusableWorkflowPassesEveryInput(t *testing.T) {
	for _, s := range read(t, filepath.Join(root, ".github/workflows/same.yml")).Jobs["same"].Steps {
		dir, ours := strings.CutPrefix(s.Uses, "./.cachekey-actions")
		if !ours {
			continue
		}
		for name := range read(t, filepath.Join(root, dir, "action.yml")).Inputs {
			if _, passed := s.With[name]; !passed && name != "job-status" {
				t.Errorf("step %q does not pass %q", s.Name, name)
			}
		}
	}
}
