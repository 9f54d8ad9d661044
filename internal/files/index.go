// Package files knows the files of a workspace: which of them a task's patterns
// match and what they hold. A directory is listed once and a file is hashed
// once, however many tasks share them, until something may have changed them.
//
// What is hashed is remembered from run to run in a stat cache, as git
// remembers it in its index. A file need not be read again if its device,
// inode, size, mode, mtime and ctime are those that it had when it was hashed,
// and if both times were by then older than the file system's own clock: a
// write in the same tick as the hashing would change none of them. ctime can't
// be put back, so a same-size edit with its mtime restored is seen too.
//
// No symbolic link is followed, neither at the end of a path nor within it.
package files

import (
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// An Index is what is known of one workspace's files. Its methods may be called
// at once.
type Index struct {
	root  int // the open root directory
	clock *clock
	epoch atomic.Uint32 // what was seen in an earlier one has to be looked at again
	slots chan struct{} // one for each goroutine beyond the callers' own

	mu    sync.Mutex
	dirs  map[string]*dir
	cache cache // what a former run knew
	dirty atomic.Bool
}

// A dir is what is known of one directory.
type dir struct {
	path string // relative to the root, slash-separated; "" for the root

	mu      sync.Mutex
	entries []entry // sorted by name; all of them only if listed
	listed  uint32  // the epoch in which entries were all of the directory's, or 0
}

// An entry is what is known of one name in a directory.
type entry struct {
	name    string
	stamp   disk.Stamp
	digest  digest.Digest // of a file's content or a link's target; zero until needed
	seen    uint32        // the epoch of stamp, or 0: a former run's
	settled bool          // while stamp stays the same, so does digest
}

// New makes the index of the workspace at root. local is a directory on the same file system to
// read its clock in; where none can be had, fewer digests are remembered.
func New(root, local string) (*Index, error) {
	fd, err := disk.Retry(func() (int, error) {
		return unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, fmt.Errorf("opening the workspace %s: %w", root, err)
	}
	x := &Index{
		root:  fd,
		clock: newClock(local),
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		dirs:  make(map[string]*dir),
	}
	x.epoch.Store(1)
	x.clock.read()
	return x, nil
}

// Close lets go of the root directory.
func (x *Index) Close() error {
	x.clock.close()
	return unix.Close(x.root)
}

// Changed says that anything may have changed: a task has run.
func (x *Index) Changed() {
	x.clock.read()
	x.epoch.Add(1)
}

// ChangedPath says that path has changed, and the directories above it.
func (x *Index) ChangedPath(p string) {
	for p != "." {
		parent := path.Dir(p)
		name := path.Base(p)
		if parent == "." {
			parent = ""
		}
		d := x.dir(parent)
		d.mu.Lock()
		d.listed = 0
		if i, ok := d.find(name); ok {
			d.entries[i].seen = 0
		}
		d.mu.Unlock()
		p = path.Dir(p)
	}
}

func (x *Index) dir(p string) *dir {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.dirs[p]
	if d == nil {
		d = &dir{path: p, entries: x.cache.entries(p)}
		x.dirs[p] = d
	}
	return d
}

// find gives the place of name in d's entries. d.mu is held.
func (d *dir) find(name string) (int, bool) {
	return slices.BinarySearchFunc(d.entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
}

// list makes d.entries all that the directory has, now. d.mu is held. fd is
// the open directory.
func (x *Index) list(d *dir, fd *dirFD, epoch uint32) error {
	if d.listed >= epoch {
		return nil
	}
	handle, err := fd.open()
	if errors.Is(err, unix.ENOENT) {
		d.entries, d.listed = nil, epoch
		return nil
	} else if err != nil {
		return err
	}
	if handle == x.root { // it stays open, and may have been listed before
		if _, err := unix.Seek(handle, 0, io.SeekStart); err != nil {
			return err
		}
	}
	names, err := readNames(handle)
	if err != nil {
		return fmt.Errorf("listing %s: %w", d.shown(), err)
	}
	slices.Sort(names)
	fresh := make([]entry, 0, len(names))
	old := d.entries
	for _, name := range names {
		st, err := disk.LstatAt(handle, name)
		if errors.Is(err, unix.ENOENT) {
			continue // removed since it was listed
		} else if err != nil {
			return fmt.Errorf("%s: %w", path.Join(d.path, name), err)
		}
		for len(old) > 0 && old[0].name < name {
			old = old[1:]
		}
		e := entry{name: name, stamp: st, seen: epoch}
		if len(old) > 0 && old[0].name == name {
			e.recall(&old[0])
		}
		fresh = append(fresh, e)
	}
	d.entries, d.listed = fresh, epoch
	return nil
}

// single makes sure of one name and gives its entry, or nil. d.mu is held.
func (x *Index) single(d *dir, fd *dirFD, name string, epoch uint32) (*entry, error) {
	i, ok := d.find(name)
	if ok && d.entries[i].seen >= epoch {
		return &d.entries[i], nil
	}
	if d.listed >= epoch {
		return nil, nil
	}
	handle, err := fd.open()
	var st disk.Stamp
	if err == nil {
		st, err = disk.LstatAt(handle, name)
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENAMETOOLONG) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join(d.path, name), err)
	}
	e := entry{name: name, stamp: st, seen: epoch}
	if ok {
		e.recall(&d.entries[i])
		d.entries[i] = e
	} else {
		d.entries = slices.Insert(d.entries, i, e)
	}
	return &d.entries[i], nil
}

// recall takes over what an older look at the same name knew, if it still holds.
func (e *entry) recall(old *entry) {
	if old.settled && old.stamp == e.stamp {
		e.digest, e.settled = old.digest, true
	}
}

func (d *dir) shown() string {
	if d.path == "" {
		return "the workspace root"
	}
	return d.path
}
