package disk

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStamp(t *testing.T) {
	dir := t.TempDir()
	name := func(base string) string { return filepath.Join(dir, base) }
	for _, err := range []error{
		os.WriteFile(name("file"), []byte("text"), 0o654), os.Symlink("file", name("link")), unix.Mkfifo(name("fifo"), 0o744),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		path       string
		kind       uint32
		executable bool
	}{{"file", unix.S_IFREG, false}, {"link", unix.S_IFLNK, true}, {"fifo", unix.S_IFIFO, true}, {".", unix.S_IFDIR, true}} {
		st, err := Lstat(name(tt.path))
		if err != nil || st.Type() != tt.kind || st.Executable() != tt.executable {
			t.Errorf("%s: %+v, %v", tt.path, st, err)
		}
	}
	if st, err := Lstat(name("none")); err == nil || st != (Stamp{}) {
		t.Errorf("of nothing: %+v, %v", st, err)
	}
}

// The stamp of a path is that of what is opened there: no link, and no fifo that
// would have to be waited for.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(dir+"/file", nil, 0o666), os.Symlink("file", dir+"/link"), unix.Mkfifo(dir+"/fifo", 0o666),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/file", "/fifo"} {
		fd, err := Open(unix.AT_FDCWD, dir+path, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		opened, err := Fstat(fd)
		listed, err2 := Lstat(dir + path)
		if err != nil || err2 != nil || opened != listed {
			t.Errorf("%s: %+v, %v; listed %+v, %v", path, opened, err, listed, err2)
		}
	}
	if _, err := Open(unix.AT_FDCWD, dir+"/link", 0); err != unix.ELOOP {
		t.Errorf("a link: %v", err)
	}
}

func TestRetry(t *testing.T) {
	left := 3
	n, err := Retry(func() (int, error) {
		if left--; left > 0 {
			return 0, unix.EINTR
		}
		return 7, unix.EIO
	})
	if n != 7 || err != unix.EIO || left != 0 {
		t.Errorf("%d, %v, %d left", n, err, left)
	}
}
