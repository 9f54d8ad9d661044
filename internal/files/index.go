// Package files matches the files of a workspace against a task's patterns and
// hashes them. A directory is listed once and a file is hashed once, however many
// tasks share them, until something may have changed them.
//
// Digests are kept from run to run in a stat cache, like git's index. A file is
// not read again if its device, inode, size, mode, mtime and ctime are the same
// as when it was hashed, and if both times were older than the file system's
// clock by then: a later write in the same tick would change none of them.
// Programs cannot set ctime, so an edit that keeps size and mtime is noticed too.
//
// Symbolic links are never followed, neither at the end of a path nor within it.
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

// An Index holds the stamps and digests of one workspace's files. Its methods may
// be called concurrently.
type Index struct {
	root  *disk.Dir
	clock *clock
	epoch atomic.Uint32 // entries seen in an earlier epoch must be checked again
	slots chan struct{} // one for each goroutine beyond the callers' own

	mu    sync.Mutex
	dirs  map[string]*dir
	cache cache // of an earlier run
	dirty atomic.Bool
}

// A dir holds the known entries of one directory.
type dir struct {
	path string // relative to the root, slash-separated; "" for the root

	mu      sync.Mutex
	entries []entry // sorted by name; complete only if listed
	listed  uint32  // the epoch in which entries was complete, or 0
}

// An entry is one name in a directory.
type entry struct {
	name    string
	stamp   disk.Stamp
	digest  digest.Digest // of a file's contents or a link's target; zero until needed
	seen    uint32        // the epoch of stamp, or 0 if it is from an earlier run
	settled bool          // digest is valid for as long as stamp stays the same
}

// New returns the index of the workspace at root. It creates a temporary file in
// local to read the file system's clock; if it cannot, fewer digests are saved.
func New(root, local string) (*Index, error) {
	at, err := disk.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("opening the workspace: %w", err)
	}
	x := &Index{
		root:  at,
		clock: newClock(local),
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		dirs:  make(map[string]*dir),
	}
	x.epoch.Store(1)
	x.clock.read()
	return x, nil
}

// Close closes the root directory.
func (x *Index) Close() error {
	x.clock.close()
	x.root.Close()
	return nil
}

// Changed must be called after a task has run: anything may have changed.
func (x *Index) Changed() {
	x.clock.read()
	x.epoch.Add(1)
}

// ChangedPath must be called after a change of p, which also changes the
// directories above it.
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

// Epoch returns a number that Changed changes.
func (x *Index) Epoch() uint32 { return x.epoch.Load() }

// Prime records the digest of the file at p, which the caller has written in this epoch
// and then stamped: it need not be read as long as no task has run. ChangedPath must be
// called between the write and Prime.
func (x *Index) Prime(p string, st disk.Stamp, sum digest.Digest, epoch uint32) {
	if epoch != x.epoch.Load() {
		return
	}
	parent := path.Dir(p)
	if parent == "." {
		parent = ""
	}
	e := entry{name: path.Base(p), stamp: st, digest: sum, seen: epoch, settled: x.clock.settled(st)}
	d := x.dir(parent)
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok := d.find(e.name); ok {
		d.entries[i] = e
	} else {
		d.entries = slices.Insert(d.entries, i, e)
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

// find returns the position of name in d.entries. The caller holds d.mu.
func (d *dir) find(name string) (int, bool) {
	return slices.BinarySearchFunc(d.entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
}

// list reads the directory into d.entries unless that was done in this epoch.
// The caller holds d.mu.
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
	if handle == x.root.FD() { // may have been listed before: rewind
		if _, err := unix.Seek(handle, 0, io.SeekStart); err != nil {
			return err
		}
	}
	names, err := disk.Names(handle)
	if err != nil {
		return fmt.Errorf("listing %s: %w", d, err)
	}
	slices.Sort(names)
	fresh := make([]entry, 0, len(names))
	old := d.entries
	for _, name := range names {
		st, err := disk.LstatAt(handle, name)
		if errors.Is(err, unix.ENOENT) {
			continue // removed after it was listed
		} else if err != nil {
			return fmt.Errorf("%s: %w", path.Join(d.path, name), err)
		}
		for len(old) > 0 && old[0].name < name {
			old = old[1:]
		}
		e := entry{name: name, stamp: st, seen: epoch}
		if len(old) > 0 && old[0].name == name {
			e.reuse(&old[0])
		}
		fresh = append(fresh, e)
	}
	d.entries, d.listed = fresh, epoch
	return nil
}

// single returns the up-to-date entry of one name, or nil if there is none. The
// caller holds d.mu.
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
		e.reuse(&d.entries[i])
		d.entries[i] = e
	} else {
		d.entries = slices.Insert(d.entries, i, e)
	}
	return &d.entries[i], nil
}

// reuse takes the digest of an older entry of the same name if it is still valid: if a
// later write would have changed the stamp, or no task has run since.
func (e *entry) reuse(old *entry) {
	if (old.settled || old.seen == e.seen) && old.stamp == e.stamp {
		e.digest, e.settled = old.digest, old.settled
	}
}

// hashable reports whether e is a file or link: only these have digests.
func (e *entry) hashable() bool {
	k := e.stamp.Kind()
	return k == disk.File || k == disk.Link
}

// String names d in an error.
func (d *dir) String() string {
	if d.path == "" {
		return "the workspace root"
	}
	return d.path
}

// A dirFD is a directory of the workspace that is opened when it is first needed.
// Its path is opened name by name, so that no link in it is followed.
type dirFD struct {
	root  int
	path  string
	flags int // of OpenAt
	fd    int
	done  bool
	err   error
}

func (x *Index) fd(d *dir) *dirFD { return &dirFD{root: x.root.FD(), path: d.path, fd: -1} }

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
		next, err := disk.OpenAt(at, name, unix.O_DIRECTORY|f.flags)
		if at != f.root {
			unix.Close(at)
		}
		if err != nil {
			if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
				err = unix.ENOENT // no longer a directory
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
