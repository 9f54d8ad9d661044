package files

import (
	"errors"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
)

// A dirFD is a directory of the workspace, opened when it is first needed. Its path
// is walked name by name, so that no link in it is followed.
type dirFD struct {
	root int
	path string
	fd   int
	done bool
	err  error
}

func (x *Index) fd(d *dir) *dirFD { return &dirFD{root: x.root, path: d.path, fd: -1} }

func (f *dirFD) open() (int, error) {
	if f.done {
		return f.fd, f.err
	}
	f.done = true
	if f.path == "" {
		f.fd = f.root
		return f.fd, nil
	}
	at := f.root
	for name := range strings.SplitSeq(f.path, "/") {
		next, err := disk.OpenAt(at, name, unix.O_DIRECTORY)
		if at != f.root {
			unix.Close(at)
		}
		if err != nil {
			if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
				err = unix.ENOENT // no longer a directory: there is nothing in it
			}
			f.err = err
			return -1, err
		}
		at = next
	}
	f.fd = at
	return at, nil
}

func (f *dirFD) close() {
	if f.fd >= 0 && f.fd != f.root {
		unix.Close(f.fd)
	}
}

var listBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// readNames gives the names in an open directory.
func readNames(fd int) ([]string, error) {
	buf := listBuffers.Get().(*[32 << 10]byte)
	defer listBuffers.Put(buf)
	var names []string
	for {
		n, err := disk.Retry(func() (int, error) { return unix.ReadDirent(fd, buf[:]) })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}
