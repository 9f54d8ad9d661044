// Package workflow runs this repository's GitHub workflows and actions with nektos/act
// on this machine and the real cache client, and checks the entries that they save.
// docs/ci.md says what the workflows promise.
package workflow

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var toolDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "workflow-tools-")
	if err != nil {
		panic(err)
	}
	toolDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// tool builds the program of a package that go.mod pins, once, and returns its path.
func tool(t *testing.T, pkg string) string {
	t.Helper()
	binary := filepath.Join(toolDir, filepath.Base(pkg))
	if _, err := os.Stat(binary); err != nil {
		command(t, ".", "go", "build", "-o", binary, pkg)
	}
	return binary
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// command runs a program in dir, and returns what it prints.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return command(t, dir, "git", args...)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	return command(t, ".", "go", "env", name)
}

// commit writes the files, and commits everything in the repository at dir. The
// repository then serves any single commit, as GitHub's do.
func commit(t *testing.T, dir, message string, files map[string]string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		git(t, dir, "init", "--quiet", "--initial-branch=main")
	}
	for name, content := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	git(t, dir, "config", "uploadpack.allowAnySHA1InWant", "true")
	git(t, dir, "config", "user.name", "A. Committer")
	git(t, dir, "config", "user.email", "committer@example.org")
	git(t, dir, "add", "--all")
	git(t, dir, "commit", "--quiet", "--message", message)
}
