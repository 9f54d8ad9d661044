package tree

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var small = Spec{Name: "small", Files: 400, Bytes: 3_000_000, Untracked: 80}

// TestMake checks that a tree has the files that its spec asks for, and that the same
// spec always makes the same bytes: results of different days and machines compare.
func TestMake(t *testing.T) {
	first, err := Make(t.TempDir(), small)
	if err != nil {
		t.Fatal(err)
	}
	list, err := first.Tracked()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
	if len(names) != small.Files {
		t.Errorf("%d files are tracked, want %d", len(names), small.Files)
	}
	var size int64
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(first.Plain, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	if off := size - small.Bytes; off > small.Bytes/100 || off < -small.Bytes/100 {
		t.Errorf("%d bytes, want %d within one per cent", size, small.Bytes)
	}
	if out := git(t, first.Repo, "status", "--porcelain", "--untracked-files=no"); out != "" {
		t.Errorf("the checkout is not clean:\n%s", out)
	}
	if n := strings.Count(git(t, first.Repo, "ls-files", "--others"), "\n"); n != small.Untracked {
		t.Errorf("%d files are untracked, want %d", n, small.Untracked)
	}
	second, err := Make(t.TempDir(), small)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := git(t, first.Repo, "rev-parse", "HEAD^{tree}"), git(t, second.Repo, "rev-parse", "HEAD^{tree}"); a != b {
		t.Errorf("got the trees %s and %s from the same spec", a, b)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
