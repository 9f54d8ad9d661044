package workflow

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestTasksReadOnlyWhatTheyDeclare runs each task of this repository in a directory that
// has only its inputs: a task that reads more would be skipped when it should run.
func TestTasksReadOnlyWhatTheyDeclare(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "same.yaml"))
	must(t, err)
	var manifest struct {
		Tasks map[string]struct {
			Input, Cmd, Target []string
		}
	}
	must(t, yaml.Unmarshal(text, &manifest))
	for _, want := range []string{"generate", "lint", "test", "build"} {
		if _, ok := manifest.Tasks[want]; !ok {
			t.Errorf("same.yaml has no task %q", want)
		}
	}
	origin := thisRepository(t)
	for name, task := range manifest.Tasks {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			list := []string{"ls-files"}
			for _, pattern := range task.Input {
				list = append(list, ":(glob)"+pattern)
			}
			for file := range strings.Lines(git(t, origin, list...)) {
				file = strings.TrimSpace(file)
				data, err := os.ReadFile(filepath.Join(origin, file))
				must(t, err)
				info, err := os.Stat(filepath.Join(origin, file))
				must(t, err)
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
				must(t, os.WriteFile(filepath.Join(dir, file), data, info.Mode().Perm()))
			}
			cmd := exec.Command(task.Cmd[0], task.Cmd[1:]...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, target := range task.Target {
				made, err := os.ReadFile(filepath.Join(dir, target))
				must(t, err)
				if committed, err := os.ReadFile(filepath.Join(origin, target)); err == nil && !bytes.Equal(made, committed) {
					t.Errorf("%s differs from the output of %s: run it and commit the result", target, name)
				}
			}
		})
	}
}
