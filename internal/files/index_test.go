package files

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"cachekey/internal/digest"
)

// After ChangedPath a path is checked again, whether patterns spell it out or list
// its directory, and whether it was changed, created or removed.
func TestChangedPath(t *testing.T) {
	for _, pattern := range []string{"a/d/f", "a/d/new", "a/d", "a/*/*", "**", "new/dir/f"} {
		root := world(t, "a/d/f", "a/d/gone", "b")
		settle(t)
		tr := openTree(t, root)
		match(t, tr, []string{pattern}, nil)
		for _, err := range []error{
			os.WriteFile(filepath.Join(root, "a/d/f"), []byte("other"), 0o666),
			os.WriteFile(filepath.Join(root, "a/d/new"), []byte("other"), 0o666),
			os.Remove(filepath.Join(root, "a/d/gone")),
			os.MkdirAll(filepath.Join(root, "new/dir"), 0o777),
			os.WriteFile(filepath.Join(root, "new/dir/f"), []byte("other"), 0o666),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range []string{"a/d/f", "a/d/new", "a/d/gone", "new/dir/f"} {
			tr.ChangedPath(p)
		}
		got := match(t, tr, []string{pattern}, nil).Found
		if want := match(t, openTree(t, root), []string{pattern}, nil).Found; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", pattern, got, want)
		}
	}
}

// A directory is swapped for another after it was listed, and back after its files
// were hashed: these digests must not be used for its own files.
func TestSwappedDirectory(t *testing.T) {
	root := world(t, "d/f", "e/f", "d/l -> a", "e/l -> b")
	settle(t)
	tr := openTree(t, root)
	match(t, tr, []string{"**/*.none"}, nil) // lists all, and reads nothing
	rename := func(from, to string) {
		if err := os.Rename(filepath.Join(root, from), filepath.Join(root, to)); err != nil {
			t.Fatal(err)
		}
	}
	rename("d", "aside")
	rename("e", "d")
	if got := digests(t, tr)["d/f"]; got != digest.Of([]byte("e/f")) {
		t.Fatalf("the swapped directory was not read: %v", got)
	}
	rename("d", "e")
	rename("aside", "d")
	tr.Changed()
	got := digests(t, tr)
	if got["d/f"] != digest.Of([]byte("d/f")) || got["d/l"] != digest.Of([]byte("a")) {
		t.Error("the digest of another file is used")
	}
}

// A file is hashed although a directory on its path, such as /home, may only be searched.
func TestFileInDirectoryThatCannotBeListed(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS != "linux" {
		t.Skip("root may list every directory, and only Linux can open one to search it")
	}
	root := world(t, "home/bin/f")
	for _, dir := range []string{"home/bin", "home"} {
		if err := os.Chmod(filepath.Join(root, dir), 0o311); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(root, dir), 0o755) })
	}
	if f, ok, err := openTree(t, root).File(t.Context(), "home/bin/f"); !ok || f.Digest.IsZero() || err != nil {
		t.Errorf("got %v, %v, %v", f, ok, err)
	}
}
