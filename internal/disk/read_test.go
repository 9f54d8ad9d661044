package disk

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
)

func TestHash(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{0, 1, hashBuffer - 1, hashBuffer, hashBuffer + 1, 3 * hashBuffer, 3*hashBuffer + 5} {
		data := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
		if err := os.WriteFile(filepath.Join(dir, "file"), data, 0o666); err != nil {
			t.Fatal(err)
		}
		fd, err := OpenAt(unix.AT_FDCWD, filepath.Join(dir, "file"), 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // from the start, wherever the file was read to
			var to bytes.Buffer
			sum, n, err := Hash(context.Background(), fd, int64(size), &to)
			if err != nil || sum != digest.Of(data) || n != int64(size) || !bytes.Equal(to.Bytes(), data) {
				t.Errorf("size %d: got %v, %d bytes, wrote %d, %v", size, sum, n, to.Len(), err)
			}
		}
		if size > 1 {
			if sum, n, err := Hash(context.Background(), fd, int64(size-1), nil); err != nil || n != int64(size-1) || sum != digest.Of(data[:size-1]) {
				t.Errorf("size %d, grown by one: %v, %d bytes, %v", size, sum, n, err)
			}
		}
		if size > 0 { // truncated meanwhile; then a size that is not known
			for _, s := range []int64{int64(size) + 7, 0} {
				if sum, n, err := Hash(context.Background(), fd, s, nil); err != nil || n != int64(size) || sum != digest.Of(data) {
					t.Errorf("size %d, reported as %d: %v, %d bytes, %v", size, s, sum, n, err)
				}
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, _, err := Hash(ctx, fd, int64(size), nil); (err != nil) != (size > hashBuffer) {
			t.Errorf("size %d, canceled: %v", size, err)
		}
		unix.Close(fd)
	}
}

func TestBoundedReads(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(dir+"/five", []byte("12345"), 0o666), os.Symlink("five", dir+"/link"), unix.Mkfifo(dir+"/pipe", 0o666), os.Mkdir(dir+"/dir", 0o777),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, dir)
	for name, read := range map[string]func(name string, limit int64) ([]byte, error){
		"ReadFile":     func(name string, limit int64) ([]byte, error) { return ReadFile(dir+"/"+name, limit) },
		"Dir.ReadFile": d.ReadFile,
		"ReadTarget":   func(name string, limit int64) ([]byte, error) { return ReadTarget(dir+"/"+name, limit) },
	} {
		if data, err := read("five", 5); err != nil || string(data) != "12345" {
			t.Errorf("%s: got %q, %v", name, data, err)
		}
		var large *TooLargeError
		if data, err := read("five", 4); !errors.As(err, &large) || data != nil {
			t.Errorf("%s, limit 4: got %q, %v", name, data, err)
		}
		var other *NotFileError
		for _, bad := range []string{"pipe", "dir"} {
			if _, err := read(bad, 5); !errors.As(err, &other) {
				t.Errorf("%s of a %s: got %v", name, bad, err)
			}
		}
		if data, err := read("link", 5); (err == nil) != (name == "ReadTarget") {
			t.Errorf("%s of a link: got %q, %v", name, data, err)
		}
		if _, err := read("nothing", 5); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s of nothing: got %v", name, err)
		}
	}
	if data, err := ReadLimited(strings.NewReader("12345"), 5); err != nil || string(data) != "12345" {
		t.Errorf("ReadLimited: got %q, %v", data, err)
	}
	var large *TooLargeError
	if _, err := ReadLimited(strings.NewReader("12345"), 4); !errors.As(err, &large) || large.Limit != 4 {
		t.Errorf("ReadLimited, limit 4: got %v", err)
	}
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/a/b", 0o777); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	for path, want := range map[string]string{".": "a", "a": "b", "a/b": ""} {
		if names, err := NamesAt(d.FD(), path); err != nil || strings.Join(names, " ") != want {
			t.Errorf("NamesAt(%q): got %q, %v", path, names, err)
		}
	}
	if _, err := NamesAt(d.FD(), "none"); err != unix.ENOENT {
		t.Errorf("NamesAt of nothing: got %v", err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	fill := func(f *os.File) error { _, err := f.WriteString("new"); return err }
	for _, to := range []string{"file", "file", "not/yet/there"} {
		temp, err := os.CreateTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := Replace(temp, filepath.Join(dir, to), fill); err != nil {
			t.Error(err)
		}
		if data, err := os.ReadFile(filepath.Join(dir, to)); err != nil || string(data) != "new" {
			t.Errorf("%s: got %q, %v", to, data, err)
		}
	}
	temp, err := os.CreateTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	if err := Replace(temp, filepath.Join(dir, "file"), func(*os.File) error { return failed }); err != failed {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(temp.Name()); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(data) != "new" {
		t.Errorf("a write that failed left %q, %v", data, err)
	}
}
