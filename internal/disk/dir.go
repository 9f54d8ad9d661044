package disk

import (
	"io/fs"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Dir is an open directory. It is closed when everyone who holds it has let go.
type Dir struct {
	f     *os.File
	fd    int
	path  string // for messages, and for file systems that do not tell types in listings
	holds atomic.Int32
}

const (
	openDir  = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	openFile = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
)

// Open opens the directory path. Its last component is not followed if it is a
// symbolic link: the error is then ELOOP or ENOTDIR, as the system has it.
func Open(path string) (*Dir, error) {
	fd, err := Retry(func() (int, error) { return unix.Open(path, openDir, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return newDir(fd, path), nil
}

// OpenRoot opens the directory path, wherever it leads: for a path that comes
// from who runs us, and not out of a cache.
func OpenRoot(path string) (*Dir, error) {
	fd, err := Retry(func() (int, error) { return unix.Open(path, openDir&^unix.O_NOFOLLOW, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return newDir(fd, path), nil
}

// OpenDir opens the directory name in d, which is one component.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	if err := component(name); err != nil {
		return nil, err
	}
	fd, err := Retry(func() (int, error) { return unix.Openat(d.fd, name, openDir, 0) })
	if err != nil {
		return nil, d.wrong("open", name, err)
	}
	return newDir(fd, d.path+"/"+name), nil
}

func newDir(fd int, path string) *Dir {
	d := &Dir{f: os.NewFile(uintptr(fd), path), fd: fd, path: path}
	d.holds.Store(1)
	return d
}

// Hold keeps d open until one more Close.
func (d *Dir) Hold() *Dir {
	d.holds.Add(1)
	return d
}

// Close lets go of d.
func (d *Dir) Close() {
	if d.holds.Add(-1) == 0 {
		d.f.Close()
	}
}

// Path is what d was opened as, for messages.
func (d *Dir) Path() string { return d.path }

// Open opens name in d, which is one component, for reading, and says what it
// is. Neither a pipe without a writer nor a terminal holds it up. The caller
// closes the descriptor.
func (d *Dir) Open(name string) (fd int, info Info, err error) {
	if err := component(name); err != nil {
		return -1, Info{}, err
	}
	fd, err = Retry(func() (int, error) { return unix.Openat(d.fd, name, openFile, 0) })
	if err != nil {
		return -1, Info{}, d.wrong("open", name, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, Info{}, d.wrong("stat", name, err)
	}
	return fd, newInfo(&st), nil
}

// ReadFile reads the regular file name in d, if it has no more than limit bytes.
func (d *Dir) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := d.OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		return nil, d.wrong("read", name, unix.EFBIG)
	}
	data := make([]byte, st.Size())
	n, err := f.ReadAt(data, 0)
	if n == len(data) {
		err = nil
	}
	return data[:n], err
}

// Lstat says what name in d is, without following or opening it.
func (d *Dir) Lstat(name string) (Info, error) {
	if err := component(name); err != nil {
		return Info{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Info{}, d.wrong("lstat", name, err)
	}
	return newInfo(&st), nil
}

func (d *Dir) wrong(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: d.path + "/" + name, Err: err}
}

// component refuses what the system would take for more than one step down.
func component(name string) error {
	if name == "" || name == "." || name == ".." {
		return &fs.PathError{Op: "reach", Path: name, Err: fs.ErrInvalid}
	}
	for i := range len(name) {
		if name[i] == '/' || name[i] == 0 {
			return &fs.PathError{Op: "reach", Path: name, Err: fs.ErrInvalid}
		}
	}
	return nil
}
