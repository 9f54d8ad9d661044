package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestListIsSortedAndBounded(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 3000 {
		name := fmt.Sprintf("%x-%d", i*7919%1009, i)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	slices.Sort(want)
	d := open(t, dir)
	for range 2 { // a second listing begins at the first name again
		items, err := d.List()
		var got []string
		for _, it := range items {
			got = append(got, it.Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("List: %v, got %q", err, got)
		}
	}
	defer func(n int) { maxNames = n }(maxNames)
	maxNames = len(want)
	if items, err := d.List(); err != nil || len(items) != maxNames {
		t.Errorf("List of %d names: got %d, %v", maxNames, len(items), err)
	}
	maxNames--
	var beyond *BoundsError
	if items, err := d.List(); !errors.As(err, &beyond) || items != nil {
		t.Errorf("List of %d names: got %d and %v, want a BoundsError", maxNames+1, len(items), err)
	}
	parent := open(t, filepath.Dir(dir))
	if gone, err := parent.Remove(filepath.Base(dir)); !errors.As(err, &beyond) || gone.Entries != 0 {
		t.Errorf("Remove of %d names: removed %d, %v, want a BoundsError", maxNames+1, gone.Entries, err)
	}
	if gone, err := parent.RemoveUnbounded(filepath.Base(dir)); err != nil || gone.Entries != int64(len(want)+1) {
		t.Errorf("RemoveUnbounded: removed %d, %v", gone.Entries, err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("RemoveUnbounded left the directory: %v", err)
	}
}

func TestTooManyEntriesInAll(t *testing.T) {
	defer func(n int) { maxEntries = n }(maxEntries)
	maxEntries = 10
	dir := t.TempDir()
	for _, p := range []string{"a/1", "a/2", "a/3", "b/4", "b/5", "b/6", "b/c/7"} {
		if err := os.MkdirAll(filepath.Join(dir, "top", p), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, dir)
	var beyond *BoundsError
	walk := func() (refused []string) {
		err := d.Walk("top", func(e Entry) (bool, error) { return true, nil }, func(e Entry, err error) error {
			if !errors.As(err, &beyond) {
				t.Errorf("%s: got %v, want a BoundsError", e.Path, err)
			}
			refused = append(refused, e.Path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return refused
	}
	if got := walk(); got != nil {
		t.Errorf("with 10 names allowed: refused %q", got)
	}
	maxEntries = 9
	if got, want := walk(), []string{"top/b/c"}; !slices.Equal(got, want) {
		t.Errorf("with 9 of 10 names allowed: refused %q, want %q", got, want)
	}
	maxEntries = 4
	if _, err := d.Remove("top"); !errors.As(err, &beyond) {
		t.Errorf("Remove: got %v, want a BoundsError", err)
	}
	if _, err := d.RemoveUnbounded("top"); err != nil {
		t.Error(err)
	}
}

func TestWalkInTheOrderOfCompare(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"a/b/c", "a.b", "a-b", "a/b.c", "a0", "ab/x", "a/é", "a/z"} {
		p = "r/" + p
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(p)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, p), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := open(t, dir).Walk("r", func(e Entry) (bool, error) {
		got = append(got, e.Path)
		return e.Kind == Directory, nil
	}, func(e Entry, err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("r r/a r/a/b r/a/b/c r/a/b.c r/a/z r/a/é r/a-b r/a.b r/a0 r/ab r/ab/x")
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for i, a := range got {
		for j, b := range got {
			if c := Compare(a, b); (c < 0) != (i < j) || (c > 0) != (i > j) {
				t.Errorf("Compare(%q, %q) = %d", a, b, c)
			}
		}
	}
}

func TestNothingLeavesTheDirectory(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "precious"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	for _, name := range []string{"", ".", "..", "a/b", "../x", "/etc", "a\x00b"} {
		if _, err := d.OpenDir(name); err == nil {
			t.Errorf("OpenDir(%q) opened it", name)
		}
		if _, err := d.Remove(name); err == nil {
			t.Errorf("Remove(%q) removed it", name)
		}
		if _, _, err := d.Open(name); err == nil {
			t.Errorf("Open(%q) opened it", name)
		}
	}
	if _, err := d.OpenDir("link"); err == nil {
		t.Error("OpenDir followed a link")
	}
	if _, err := Open(filepath.Join(dir, "link")); err == nil {
		t.Error("Open followed a link")
	}
	if err := os.Symlink(filepath.Join(outside, "precious"), filepath.Join(dir, "file")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Open("file"); err == nil {
		t.Error("Open followed a link to a file")
	}
	for _, path := range []string{"link", "link/x", "..", "../x", "/etc", ""} {
		if _, err := d.Reach(path); err == nil {
			t.Errorf("Reach(%q) reached it", path)
		}
		if _, err := d.ReachMaking(path); err == nil {
			t.Errorf("ReachMaking(%q) reached it", path)
		}
	}
	if err := d.Chmod("link", 0o700); err == nil {
		t.Error("Chmod followed a link")
	}
	if err := d.Move("link", d, "../moved"); err == nil {
		t.Error("Move left the directory")
	}
	if err := d.Take(filepath.Join(outside, "precious"), "../moved"); err == nil {
		t.Error("Take left the directory")
	}
	for _, name := range []string{"link", "file"} {
		if _, err := d.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("Remove left %v", left)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RemoveUnbounded("link"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(outside, "precious")); err != nil {
		t.Errorf("a file outside is gone: %v", err)
	}
}

// deepen makes a chain of directories that is deeper than any path the system
// accepts, with a file of 5 bytes on each level.
func deepen(t *testing.T, dir string, levels int) {
	t.Helper()
	at := open(t, dir).Hold()
	for i := range levels {
		next, err := at.MakeDir(fmt.Sprintf("%0200d", i))
		if err != nil {
			t.Fatal(err)
		}
		err = next.WriteAtomic("file", NoSync, func(f *os.File) error { _, err := f.WriteString("12345"); return err })
		if err != nil {
			t.Fatal(err)
		}
		at.Close()
		at = next
	}
	at.Close()
}

func TestRemove(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "dir")
	for _, p := range []string{"deep", "locked/in"} {
		if err := os.MkdirAll(filepath.Join(dir, p), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	deepen(t, filepath.Join(dir, "deep"), MaxDepth-2)
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "locked", "in", "file"), []byte("123"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"locked/in", "locked"} {
		if err := os.Chmod(filepath.Join(dir, p), 0); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := open(t, top).Remove("dir")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Removed{Entries: 2*(MaxDepth-2) + 6, Bytes: (MaxDepth-2)*5 + 3}); gone != want {
		t.Errorf("got %+v, want %+v", gone, want)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("Remove left it: %v", err)
	}
}

func TestRemoveIsBoundedInDepth(t *testing.T) {
	for levels, bounded := range map[int]bool{MaxDepth - 1: false, MaxDepth: true, 300: true} {
		top := t.TempDir()
		if err := os.Mkdir(filepath.Join(top, "dir"), 0o777); err != nil {
			t.Fatal(err)
		}
		deepen(t, filepath.Join(top, "dir"), levels)
		d := open(t, top)
		var beyond *BoundsError
		if _, err := d.Remove("dir"); errors.As(err, &beyond) != bounded || (err == nil) == bounded {
			t.Errorf("%d levels: got %v", levels+1, err)
		}
		if _, err := d.RemoveUnbounded("dir"); err != nil {
			t.Errorf("%d levels: RemoveUnbounded: %v", levels+1, err)
		}
		if left, _ := os.ReadDir(top); len(left) > 0 {
			t.Errorf("%d levels: left %v", levels+1, left)
		}
	}
}

func TestOpenReportsTheKind(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("abc"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "file"), 0o644|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	fd, info, err := d.Open("pipe") // would block until there is a writer
	if err != nil || info.Kind() != Pipe {
		t.Errorf("pipe: %v, %v", info.Kind(), err)
	}
	unix.Close(fd)
	fd, info, err = d.Open("file")
	if err != nil || info.Kind() != File || info.Size != 3 || info.Links != 1 || !info.SetID() {
		t.Errorf("file: %+v, %v", info, err)
	}
	unix.Close(fd)
}

// TestWriteAtomicOfTheLongestName checks that the temporary file does not need a
// longer name.
func TestWriteAtomicOfTheLongestName(t *testing.T) {
	dir := t.TempDir()
	name := strings.Repeat("n", 255)
	err := open(t, dir).WriteAtomic(name, NoSync, func(f *os.File) error { _, err := f.WriteString("x"); return err })
	if data, readErr := os.ReadFile(filepath.Join(dir, name)); err != nil || readErr != nil || string(data) != "x" {
		t.Errorf("%q %v %v", data, err, readErr)
	}
}

// TestTrail checks that a Trail, which continues from the directory that it reached
// last, arrives where Reach does.
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
			t.Errorf("Reach(%q) followed a link, or left the root", path)
		}
	}
	if _, err := os.Lstat(filepath.Join(root, "nowhere")); err == nil {
		t.Error("Reach created a directory")
	}
}
