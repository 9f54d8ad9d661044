package workflow

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSavePolicy checks which jobs may save, and when they should.
func TestSavePolicy(t *testing.T) {
	script, err := filepath.Abs(filepath.Join(root, "save/policy.sh"))
	must(t, err)
	base := map[string]string{
		"HIT_KIND": "none", "JOB_STATUS": "success", "DEFAULT_BRANCH": "main", "HEAD_REPOSITORY": "",
		"GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main", "GITHUB_REPOSITORY": "OWNER/workspace",
		"PATHS": ".same/store\n.same/cache\n.same/seal.json",
	}
	pull := map[string]string{
		"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/1/merge", "HEAD_REPOSITORY": "OWNER/workspace",
	}
	for _, c := range []struct {
		name   string
		env    []map[string]string
		sealed bool // no task ran
		want   string
	}{
		{"a push to the default branch that restored nothing", nil, false, "true"},
		{"a task ran", []map[string]string{{"HIT_KIND": "partial"}}, false, "true"},
		{"no task ran", []map[string]string{{"HIT_KIND": "partial"}}, true, "false"},
		{"nothing restored and no task ran", nil, true, "true"},
		{"the key has its entry", []map[string]string{{"HIT_KIND": "exact"}}, false, "false"},
		{"the key has its entry and no task ran", []map[string]string{{"HIT_KIND": "exact"}}, true, "false"},
		{"a red job", []map[string]string{{"JOB_STATUS": "failure"}}, false, "false"},
		{"a cancelled job", []map[string]string{{"JOB_STATUS": "cancelled"}}, false, "false"},
		{"a push to another branch", []map[string]string{{"GITHUB_REF": "refs/heads/feature"}}, false, "false"},
		{"a branch that ends like the default one", []map[string]string{{"GITHUB_REF": "refs/heads/not/main"}}, false, "false"},
		{"a tag of the default branch's name", []map[string]string{{"GITHUB_REF": "refs/tags/main"}}, false, "false"},
		{"a pull request from the repository", []map[string]string{pull}, false, "true"},
		{"a pull request from a fork", []map[string]string{pull, {"HEAD_REPOSITORY": "MALLORY/workspace"}}, false, "false"},
		{"a pull request from a deleted fork", []map[string]string{pull, {"HEAD_REPOSITORY": ""}}, false, "false"},
		{"pull_request_target", []map[string]string{pull, {"GITHUB_EVENT_NAME": "pull_request_target"}}, false, "false"},
		{"workflow_run", []map[string]string{{"GITHUB_EVENT_NAME": "workflow_run"}}, false, "false"},
		{"a schedule", []map[string]string{{"GITHUB_EVENT_NAME": "schedule"}}, false, "false"},
		{"no hit-kind", []map[string]string{{"HIT_KIND": ""}}, false, "error"},
		{"no seal among the paths", []map[string]string{{"PATHS": ".same/store\n.same/cache"}}, false, "error"},
		{"a red job that has restored nothing", []map[string]string{{"JOB_STATUS": "failure", "HIT_KIND": "", "PATHS": ""}}, false, "false"},
		{"a workspace below the checkout", []map[string]string{
			{"HIT_KIND": "partial", "PATHS": "web/.same/store\nweb/.same/cache\nweb/.same/seal.json"},
		}, true, "true"}, // the seal that is there is another workspace's
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.sealed {
				must(t, os.Mkdir(filepath.Join(dir, ".same"), 0o755))
				must(t, os.WriteFile(filepath.Join(dir, ".same/seal.json"), nil, 0o644))
			}
			output := filepath.Join(dir, "output")
			env := map[string]string{"PATH": os.Getenv("PATH"), "GITHUB_OUTPUT": output}
			for _, m := range append([]map[string]string{base}, c.env...) {
				for k, v := range m {
					env[k] = v
				}
			}
			cmd := exec.Command("bash", script)
			cmd.Dir = dir
			for k, v := range env {
				cmd.Env = append(cmd.Env, k+"="+v)
			}
			printed, err := cmd.CombinedOutput()
			text, _ := os.ReadFile(output)
			got := strings.TrimPrefix(strings.TrimSpace(string(text)), "save=")
			if err != nil {
				got = "error"
				if !strings.Contains(string(printed), "::error title=cachekey::") {
					t.Errorf("it fails without an annotation: %q", printed)
				}
			}
			if got != c.want || len(printed) == 0 {
				t.Errorf("save=%s, want %s; it printed %q", got, c.want, printed)
			}
		})
	}
}
