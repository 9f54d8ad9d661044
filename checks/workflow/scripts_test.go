package workflow

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The actions' scripts carry inputs to cachekey: here one that says how it was
// called, an argument a line.
func TestInputsBecomeFlags(t *testing.T) {
	inputs := []string{
		"INPUT_DIRECTORY=a dir", "INPUT_PREFIX=p", "INPUT_LOOSE=true", "INPUT_MAX_SIZE=5MB",
		"INPUT_LOCKS=*.lock\n\nb $HOME.lock", "INPUT_TASK_FILES=t.yaml", "INPUT_EXTRA=one=1\ntwo=`id`\n",
		"KEY=K", "MATCHED_KEY=K-old",
	}
	common := []string{"--directory", "a dir", "--prefix", "p", "--lock", "*.lock", "--lock", "b $HOME.lock",
		"--task-file", "t.yaml", "--extra", "one=1", "--extra", "two=`id`"}
	for _, c := range []struct {
		script string
		env    []string
		calls  [][]string
	}{
		{"action/key.sh", inputs, [][]string{slices.Concat([]string{"key"}, common, []string{"--loose", "--github", "--json-file", "RUNNER_TEMP/cachekey/computed.json"})}},
		{"action/key.sh", nil, [][]string{{"key", "--directory", ".", "--github", "--json-file", "RUNNER_TEMP/cachekey/computed.json"}}},
		{"action/key.sh", []string{"INPUT_LOOSE=false"}, [][]string{{"key", "--directory", ".", "--github", "--json-file", "RUNNER_TEMP/cachekey/computed.json"}}},
		{"action/verify.sh", inputs, [][]string{
			slices.Concat([]string{"verify"}, common, []string{"--key", "K", "--matched-key", "K-old", "--github"}),
			{"realise", "--directory", "a dir"},
		}},
		{"action/verify.sh", []string{"KEY=K", "MATCHED_KEY="}, nil},
		{"save/seal.sh", inputs, [][]string{
			{"prune", "--directory", "a dir", "--max-size", "5MB"},
			{"seal", "--directory", "a dir", "--key-file", "RUNNER_TEMP/cachekey/K.json"},
		}},
		{"save/seal.sh", []string{"INPUT_DIRECTORY=.", "INPUT_MAX_SIZE=", "KEY=K"}, [][]string{
			{"prune", "--directory", "."},
			{"seal", "--directory", ".", "--key-file", "RUNNER_TEMP/cachekey/K.json"},
		}},
	} {
		t.Run(c.script, func(t *testing.T) {
			dir := t.TempDir()
			log := filepath.Join(dir, "calls")
			must(t, os.MkdirAll(filepath.Join(dir, "cachekey"), 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "cachekey/K.json"), nil, 0o644))
			must(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
			fake := "#!/bin/sh\n{ printf '%s\\n' \"$@\"; echo; } >>'" + log + "'\nif [ \"$1\" = key ]; then echo K; : >'" + dir + "/cachekey/computed.json'; fi\n"
			must(t, os.WriteFile(filepath.Join(dir, "bin/cachekey"), []byte(fake), 0o755))
			script, err := filepath.Abs(filepath.Join(root, c.script))
			must(t, err)
			cmd := exec.Command("bash", script)
			cmd.Dir = dir
			cmd.Env = append([]string{
				"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"),
				"RUNNER_TEMP=" + dir, "GITHUB_OUTPUT=" + filepath.Join(dir, "output"),
			}, c.env...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var want strings.Builder
			for _, call := range c.calls {
				want.WriteString(strings.Join(call, "\n") + "\n\n")
			}
			got, _ := os.ReadFile(log)
			if text := strings.ReplaceAll(string(got), dir, "RUNNER_TEMP"); text != want.String() {
				t.Errorf("cachekey was called with\n%swant\n%s", text, want.String())
			}
		})
	}
}

// No task is no reason to run none and be green.
func TestRunNeedsATask(t *testing.T) {
	cmd := exec.Command("bash", filepath.Join(root, "action/run.sh"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "INPUT_TASKS= \n", "INPUT_DEVELOP=false", "INPUT_DIRECTORY=.", "RUNNER_TEMP=" + t.TempDir()}
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "::error title=cachekey::`tasks` names no task") {
		t.Errorf("it ends with %v and says %q", err, said)
	}
}
