package disk

import (
	"os"
	"path/filepath"
	"testing"
)

// Each step is taken from where the last one ended, and leads where it would
// from the root.
func TestTrail(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "a/bc"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", filepath.Join(root, "a/link")); err != nil {
		t.Fatal(err)
	}
	d, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	trail := d.Trail()
	defer trail.Close()
	for _, path := range []string{".", "a", "a", "a/b", "a/b/c/d", "a/bc", "a", "x/y", "."} {
		at, err := trail.ReachMaking(path)
		if err != nil {
			t.Fatal(err)
		}
		_ = at.RemoveFile("here")
		if err := at.Symlink(path, "here"); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(filepath.Join(root, path, "here")); err != nil || got != path {
			t.Errorf("at %s: %s, %v", path, got, err)
		}
	}
	for _, path := range []string{"a/link", "a/link/etc", "a/..", "nowhere"} {
		if _, err := trail.Reach("a"); err != nil {
			t.Fatal(err)
		}
		if _, err := trail.Reach(path); err == nil {
			t.Errorf("%s was reached", path)
		}
	}
	if _, err := os.Lstat(filepath.Join(root, "nowhere")); err == nil {
		t.Error("Reach makes directories")
	}
}
