package disk

import (
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

func names(t *testing.T, d *Dir) []string {
	t.Helper()
	var got []string
	for it, err := range d.Sorted() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, it.Name)
	}
	return got
}

func TestSortedIsTheSameFromMemoryAndFromRuns(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 300 {
		name := fmt.Sprintf("%x-%d", i*7919%1009, i)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	slices.Sort(want)
	d := open(t, dir)
	if got := names(t, d); !slices.Equal(got, want) {
		t.Errorf("from memory: got %q", got)
	}
	defer func(n int) { runBytes = n }(runBytes)
	runBytes = 200 // some five names a run
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	if got := names(t, d); !slices.Equal(got, want) {
		t.Errorf("from runs: got %q", got)
	}
	if left, _ := os.ReadDir(temp); len(left) != 0 {
		t.Errorf("runs were left in %v", left)
	}
}

func TestWalkGoesInTheOrderOfCompare(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"a/b/c", "a.b", "a-b", "a/b.c", "a0", "ab/x", "a/é", "a/z"} {
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
	want := strings.Fields("r/a r/a/b r/a/b/c r/a/b.c r/a/z r/a/é r/a-b r/a.b r/a0 r/ab r/ab/x")
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

func TestNothingLeadsOut(t *testing.T) {
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
	if _, err := os.Stat(filepath.Join(outside, "precious")); err != nil {
		t.Errorf("what is outside: %v", err)
	}
}

// deepen makes a chain of directories deeper than any path that the system takes.
func deepen(t *testing.T, dir string, levels int) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range levels {
		name := fmt.Sprintf("%0200d", i)
		if err := unix.Mkdirat(fd, name, 0o777); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		file, err := unix.Openat(next, "file", unix.O_CREAT|unix.O_WRONLY, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		unix.Write(file, []byte("12345"))
		unix.Close(file)
		unix.Close(fd)
		fd = next
	}
	unix.Close(fd)
}

func TestRemoveTakesAnyTree(t *testing.T) {
	dir := t.TempDir()
	deepen(t, dir, 2000)
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".cachekey-removing-1"), []byte("in the way"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "locked", "in"), 0o777); err != nil {
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
	gone, err := open(t, filepath.Dir(dir)).Remove(filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Removed{Entries: 2003 + 2003, Bytes: 2000*5 + 10 + 3}); gone != want {
		t.Errorf("got %+v, want %+v", gone, want)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestOpenSaysWhatItIs(t *testing.T) {
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
	fd, info, err := d.Open("pipe") // would wait for a writer for ever
	if err != nil || info.Kind != Pipe {
		t.Errorf("pipe: %v, %v", info.Kind, err)
	}
	unix.Close(fd)
	fd, info, err = d.Open("file")
	if err != nil || info.Kind != File || info.Size != 3 || info.Links != 1 || !info.SetID {
		t.Errorf("file: %+v, %v", info, err)
	}
	unix.Close(fd)
}

// The file beside the one that is written has room for its name.
func TestWriteTheLongestName(t *testing.T) {
	dir := t.TempDir()
	name := strings.Repeat("n", 255)
	err := open(t, dir).Write(name, Fleeting, func(f *os.File) error { _, err := f.WriteString("x"); return err })
	if data, readErr := os.ReadFile(filepath.Join(dir, name)); err != nil || readErr != nil || string(data) != "x" {
		t.Errorf("%q %v %v", data, err, readErr)
	}
}
