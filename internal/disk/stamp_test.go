package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

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
		kind       Kind
		executable bool
	}{{"file", File, false}, {"link", Link, true}, {"fifo", Pipe, true}, {".", Directory, true}} {
		st, err := Lstat(name(tt.path))
		if err != nil || st.Kind() != tt.kind || st.Executable() != tt.executable {
			t.Errorf("%s: %+v, %v", tt.path, st, err)
		}
	}
	if st, err := Lstat(name("none")); err == nil || st != (Stamp{}) || st.Kind() != Absent {
		t.Errorf("Lstat of nothing: %+v, %v", st, err)
	}
}

// TestStampFields compares the fields with those of package os.
func TestStampFields(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	at := time.Unix(1_000_000_000, 123_456_789)
	if err := errors.Join(os.WriteFile(name, []byte("text"), 0o640), os.Chmod(name, 0o640), os.Chtimes(name, at, at)); err != nil {
		t.Fatal(err)
	}
	st, err := Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	sys := info.Sys().(*syscall.Stat_t)
	want := Stamp{Dev: uint64(sys.Dev), Ino: sys.Ino, Size: 4, Mode: unix.S_IFREG | 0o640, Mtime: info.ModTime().UnixNano(), Ctime: st.Ctime}
	if st != want || st.Ino == 0 || st.Ctime <= at.UnixNano() {
		t.Errorf("%+v, want %+v and a later ctime", st, want)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := Lstat(name); err != nil || again.Ctime < st.Ctime || again.Mode == st.Mode {
		t.Errorf("after a chmod %+v, before it %+v, %v", again, st, err)
	}
}

// TestOpenAt checks that Fstat and Lstat return the same stamp, that OpenAt does not
// follow links, and that it does not wait for the writer of a named pipe.
func TestOpenAt(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(dir+"/file", nil, 0o666), os.Symlink("file", dir+"/link"), unix.Mkfifo(dir+"/fifo", 0o666),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/file", "/fifo"} {
		fd, err := OpenAt(unix.AT_FDCWD, dir+path, 0)
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
	if _, err := OpenAt(unix.AT_FDCWD, dir+"/link", 0); err != unix.ELOOP {
		t.Errorf("OpenAt of a link: got %v, want ELOOP", err)
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
