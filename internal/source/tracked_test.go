package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Git is not asked only if its index certainly has no .same, in any of its formats.
func TestIndexLacks(t *testing.T) {
	for _, c := range []struct {
		name   string
		config []string // of git
		files  []string
		after  []string // another git command
		want   bool
	}{
		{"no index", nil, nil, nil, false},
		{"other files", nil, []string{"a/b.go", "same.yaml", ".samd/x"}, nil, true},
		{"a file of .same", nil, []string{".same/store/x"}, nil, false},
		{"a file below", nil, []string{"a", "deep/.same/x"}, nil, false},
		{"other case", nil, []string{".SAME/x"}, nil, false},
		{"a file called .same", nil, []string{".same"}, nil, false},
		{"version 3", nil, []string{"a", ".samd"}, []string{"update-index", "--skip-worktree", "a"}, true},
		{"version 3 with .same", nil, []string{"a", ".same/x"}, []string{"update-index", "--skip-worktree", "a"}, false},
		{"version 4", []string{"index.version=4"}, []string{"a"}, nil, false},
		{"version 4 with .same", []string{"index.version=4"}, []string{".samd", ".same/x"}, nil, false},
		{"sparse", []string{"user.name=a", "user.email=a@example.invalid"}, []string{"other/x", "sub/.same/x"},
			[]string{"commit", "-q", "-m", "x"}, false},
		{"split", []string{"core.splitIndex=true", "splitIndex.maxPercentChange=100"}, []string{".same/x"}, []string{"update-index", "--split-index"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			git := func(args ...string) {
				t.Helper()
				for _, setting := range c.config {
					args = append([]string{"-c", setting}, args...)
				}
				cmd := exec.Command("git", args...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("git %q: %v\n%s", args, err, out)
				}
			}
			git("init", "-q")
			for _, name := range c.files {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte("x"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			git("add", ".")
			if c.after != nil {
				git(c.after...)
			}
			if c.name == "sparse" {
				git("sparse-checkout", "set", "--cone", "--sparse-index", "other")
			}
			if got := lacks(filepath.Join(dir, ".git/index"), ".same"); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
