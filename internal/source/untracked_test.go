package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func untrackedIn(t *testing.T, write func(dir string)) ([]Untracked, bool) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("git", "-C", dir, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write(dir)
	tree, err := Open(t.Context(), dir, Options{WithoutFlake: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	files, truncated, err := tree.Untracked(t.Context(), ".same")
	if err != nil {
		t.Fatal(err)
	}
	return files, truncated
}

// Files are hashed as long as they fit into 1 GiB together with those before them.
func TestUntrackedBytes(t *testing.T) {
	sizes := map[string]int64{"a": maxUntrackedBytes + 1, "b": 10, "c": maxUntrackedBytes - 9, "d": 5}
	files, truncated := untrackedIn(t, func(dir string) {
		for name, size := range sizes {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, nil, 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(file, size); err != nil {
				t.Fatal(err)
			}
		}
	})
	if len(files) != len(sizes) || truncated {
		t.Fatalf("got %+v, truncated %v", files, truncated)
	}
	for _, f := range files {
		if f.Size != sizes[f.Path] || (f.Digest != "") != (f.Path == "b" || f.Path == "d") {
			t.Errorf("got %+v", f)
		}
	}
}

// At most 100,000 files are listed.
func TestUntrackedCount(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"last", "more"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Open(t.Context(), dir, Options{WithoutFlake: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	l := &untrackedLister{ctx: t.Context(), tree: tree, seen: map[string]bool{}, files: make([]Untracked, 100_000-1)}
	for _, name := range []string{"last", "more"} {
		if err := l.add(name); err != nil {
			t.Fatal(err)
		}
		if len(l.files) != 100_000 || l.truncated != (name == "more") {
			t.Errorf("%s: got %d files, truncated %v", name, len(l.files), l.truncated)
		}
	}
}
