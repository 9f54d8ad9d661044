package disk

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Dir is an open directory. It has a count of holders, and closes when the last
// one has called Close. Its methods may be called concurrently, except those that
// list it.
type Dir struct {
	f     *os.File
	fd    int
	path  string // for messages, and for file systems whose listings have no types
	holds atomic.Int32
}

const openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// Open opens the directory path. If path is a symbolic link, the error is ELOOP
// or ENOTDIR, depending on the system.
func Open(path string) (*Dir, error) { return openPath(path, openDir) }

// OpenRoot opens the directory path, which may be a symbolic link to one: for
// paths that the user names, not for those that a cache contains.
func OpenRoot(path string) (*Dir, error) { return openPath(path, openDir&^unix.O_NOFOLLOW) }

func openPath(path string, flags int) (*Dir, error) {
	fd, err := Retry(func() (int, error) { return unix.Open(path, flags, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return newDir(fd, path), nil
}

func newDir(fd int, path string) *Dir {
	d := &Dir{f: os.NewFile(uintptr(fd), path), fd: fd, path: path}
	d.holds.Store(1)
	return d
}

// OpenDir opens the directory name in d.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	fd, err := d.openAt(name, openDir, 0)
	if err != nil {
		return nil, err
	}
	return newDir(fd, d.path+"/"+name), nil
}

// openAt opens name in d.
func (d *Dir) openAt(name string, flags int, perm uint32) (fd int, err error) {
	err = d.change("open", name, func() error {
		fd, err = Retry(func() (int, error) { return unix.Openat(d.fd, name, flags, perm) })
		return err
	})
	return fd, err
}

// MakeDir opens the directory name in d, and creates it if nothing has that name.
// Only its owner can write to it.
func (d *Dir) MakeDir(name string) (*Dir, error) {
	sub, err := d.OpenDir(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return sub, err
	}
	if err := d.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return d.OpenDir(name)
}

// Hold keeps d open until one more call of Close. It returns d.
func (d *Dir) Hold() *Dir {
	d.holds.Add(1)
	return d
}

// Close ends one hold on d.
func (d *Dir) Close() {
	if d.holds.Add(-1) == 0 {
		d.f.Close()
	}
}

// FD returns the descriptor of d, for the functions of this package that take
// one. It is valid until the last Close.
func (d *Dir) FD() int { return d.fd }

// error returns err, from an operation on name in d, with the path.
func (d *Dir) error(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: d.path + "/" + name, Err: err}
}

// Reason returns the text of err without the path, for messages that have it already.
func Reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return strings.TrimSpace(err.Error())
}

// component returns an error unless name is a single path component, which can't
// lead anywhere but one step down.
func component(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return nil
}

// Reach opens the directory path below d, slash-separated; "." is d itself. Each
// component is opened in the one before, so a symbolic link among them is an
// error, even one that appears meanwhile.
func (d *Dir) Reach(path string) (*Dir, error) { return d.reach(path, (*Dir).OpenDir) }

// ReachMaking is Reach, and creates the directories that do not exist.
func (d *Dir) ReachMaking(path string) (*Dir, error) { return d.reach(path, (*Dir).MakeDir) }

func (d *Dir) reach(path string, step func(*Dir, string) (*Dir, error)) (*Dir, error) {
	at := d.Hold()
	if path == "." {
		return at, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		next, err := step(at, name)
		at.Close()
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// A Trail reaches one directory below a root after another, and keeps the last
// one open: the next is usually the same, or below it. It must not be used
// concurrently, nor after a directory that it reached was removed or replaced.
type Trail struct {
	root, last *Dir
	path       string // of last, from root
}

// Trail returns a Trail whose root is d. The caller must close it.
func (d *Dir) Trail() *Trail { return &Trail{root: d.Hold()} }

// Close closes the directories that t holds open.
func (t *Trail) Close() {
	t.closeLast()
	t.root.Close()
}

func (t *Trail) closeLast() {
	if t.last != nil {
		t.last.Close()
		t.last = nil
	}
}

// Reach opens the directory path like Dir.Reach. It is open until the next call;
// the caller must not close it.
func (t *Trail) Reach(path string) (*Dir, error) { return t.reach(path, (*Dir).Reach) }

// ReachMaking is Reach, and creates the directories that do not exist.
func (t *Trail) ReachMaking(path string) (*Dir, error) { return t.reach(path, (*Dir).ReachMaking) }

func (t *Trail) reach(path string, open func(*Dir, string) (*Dir, error)) (*Dir, error) {
	from, rest := t.root, path
	if t.last != nil {
		if path == t.path {
			return t.last, nil
		}
		if below, ok := strings.CutPrefix(path, t.path+"/"); ok {
			from, rest = t.last, below
		}
	}
	next, err := open(from, rest)
	if err != nil {
		return nil, err
	}
	t.closeLast()
	t.last, t.path = next, path
	return next, nil
}
