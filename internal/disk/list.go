package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Bounds on listing, walking and removing an untrusted directory, far above the size
// of any cache.
const (
	MaxNames   = 100_000   // names in one directory
	MaxEntries = 1_000_000 // names in all directories of one walk or removal
	MaxDepth   = 100       // levels of directories
)

var maxNames, maxEntries = MaxNames, MaxEntries // tests lower them

// A BoundsError reports that a directory is beyond MaxNames, MaxEntries or MaxDepth.
type BoundsError struct{ text string }

func (e *BoundsError) Error() string { return e.text }

var (
	errNames   = &BoundsError{fmt.Sprintf("more than %d names in one directory", MaxNames)}
	errEntries = &BoundsError{fmt.Sprintf("more than %d names in all", MaxEntries)}
	errDepth   = &BoundsError{fmt.Sprintf("nested more than %d levels deep", MaxDepth)}
)

var listBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// Names returns the names in the open directory dir that have not been read yet, in
// the file system's order. It does not bound their number.
func Names(dir int) ([]string, error) {
	buf := listBuffers.Get().(*[32 << 10]byte)
	defer listBuffers.Put(buf)
	var names []string
	for {
		n, err := Retry(func() (int, error) { return unix.ReadDirent(dir, buf[:]) })
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// NamesAt returns the names in the directory path below the open directory dir.
func NamesAt(dir int, path string) ([]string, error) {
	fd, err := OpenAt(dir, path, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return Names(fd)
}

// An Item is a name in a directory, with the kind that the listing reports.
type Item struct {
	Name string
	Kind Kind
}

// List returns the entries of d in bytewise order of their names. If there are
// more than MaxNames, the error wraps a *BoundsError.
func (d *Dir) List() ([]Item, error) {
	items, err := d.list()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Name, b.Name) })
	return items, nil
}

// list is List in the file system's order. With errNames it returns some of the
// names.
func (d *Dir) list() (items []Item, err error) {
	if _, err := unix.Seek(d.fd, 0, io.SeekStart); err != nil {
		return nil, d.error("list", ".", err)
	}
	for {
		// ReadDir calls lstat only where the file system's listing has no types.
		entries, err := d.f.ReadDir(1024)
		for _, e := range entries {
			items = append(items, Item{e.Name(), kinds[e.Type()]})
		}
		switch {
		case err == io.EOF:
			return items, nil
		case err != nil:
			return nil, err
		case len(items) > maxNames:
			return items, d.error("list", ".", errNames)
		}
	}
}

// kinds maps the file types of package fs.
var kinds = map[fs.FileMode]Kind{0: File, fs.ModeDir: Directory, fs.ModeSymlink: Link, fs.ModeNamedPipe: Pipe,
	fs.ModeSocket: Socket, fs.ModeDevice: Device, fs.ModeDevice | fs.ModeCharDevice: Device, fs.ModeIrregular: Other}

// An Entry is visited by Walk. Dir is closed after the visit, unless the visitor
// holds it.
type Entry struct {
	Dir  *Dir
	Name string
	Path string // from the directory that Walk was called on, slash-separated
	Kind Kind
}

// Walk visits name in d and everything below it, a directory before its contents,
// in the order that Compare defines. If nothing has the name, nothing is visited.
// Walk enters a directory if visit returns true. A directory that can't be
// listed, or is beyond the bounds, is passed to unreadable; the walk goes on if
// that returns nil.
func (d *Dir) Walk(name string, visit func(Entry) (enter bool, err error), unreadable func(Entry, error) error) error {
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	w := &walk{visit: visit, unreadable: unreadable, left: maxEntries}
	return w.entry(Entry{Dir: d, Name: name, Path: name, Kind: info.Kind()}, 0)
}

type walk struct {
	visit      func(Entry) (bool, error)
	unreadable func(Entry, error) error
	left       int // names until MaxEntries
}

func (w *walk) entry(e Entry, depth int) error {
	enter, err := w.visit(e)
	if err != nil || !enter {
		return err
	}
	if depth == MaxDepth {
		return w.unreadable(e, errDepth)
	}
	sub, err := e.Dir.OpenDir(e.Name)
	if err != nil {
		return w.unreadable(e, err)
	}
	defer sub.Close()
	items, err := sub.List()
	if w.left -= len(items); err == nil && w.left < 0 {
		err = errEntries
	}
	if err != nil {
		return w.unreadable(e, err)
	}
	for _, it := range items {
		if err := w.entry(Entry{Dir: sub, Name: it.Name, Path: e.Path + "/" + it.Name, Kind: it.Kind}, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// Compare orders paths as Walk visits them: component by component, bytewise. In
// this order "a/b" comes before "a.b", unlike in that of whole strings.
func Compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' || (y != '/' && x < y) {
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}
