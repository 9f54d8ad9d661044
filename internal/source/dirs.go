package source

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"cachekey/internal/disk"
)

// dirs looks paths up on disk as git's libraries do: with lstat, and never
// through a symbolic link. With ignoreCase, names are compared without regard
// to (ASCII) case, as libgit2's iterators do. It remembers directories and must
// not be used concurrently.
type dirs struct {
	path       string // of the root directory
	root       int    // the same, open
	ignoreCase bool   // core.ignorecase
	known      map[string]*dir
	last       string // the path of the directory asked for last,
	lastDir    *dir   // because entries come sorted: it is mostly the same
}

// A dir is what is on disk at the path of a directory.
type dir struct {
	path    string            // as the disk spells it
	real    bool              // it, and every directory above it, is a directory and not a link to one
	phantom bool              // see found
	names   map[string]string // with ignoreCase: what is in it, by its lower-case name and by its own
}

func newDirs(path string, root int, ignoreCase bool) *dirs {
	top := &dir{real: true}
	return &dirs{path: path, root: root, ignoreCase: ignoreCase, known: map[string]*dir{"": top}, lastDir: top}
}

// find returns what is at path.
func (d *dirs) find(path string) (found, error) {
	f, _, err := d.lookUp(path)
	return f, err
}

// lookUp is find that also returns how the disk spells path.
func (d *dirs) lookUp(path string) (f found, spelled string, err error) {
	parent, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	in := d.lastDir
	if parent != d.last {
		if in, err = d.directory(parent); err != nil {
			return found{}, "", err
		}
		d.last, d.lastDir = parent, in
	}
	if !in.real {
		return found{}, "", nil
	}
	if !d.ignoreCase {
		f, err = d.lstat(path)
		return f, path, err
	}
	if in.names == nil {
		if in.names, err = d.list(in.path); err != nil {
			return found{}, "", err
		}
	}
	own, ok := in.names[name]
	if !ok {
		if own, ok = in.names[asciiLower(name)]; !ok {
			return found{}, "", nil
		}
	}
	spelled = own
	if in.path != "" {
		spelled = in.path + "/" + own
	}
	f, err = d.lstat(spelled)
	f.phantom = in.phantom || own != name
	return f, spelled, err
}

func (d *dirs) directory(path string) (*dir, error) {
	if known, ok := d.known[path]; ok {
		return known, nil
	}
	f, spelled, err := d.lookUp(path)
	if err != nil {
		return nil, err
	}
	own := &dir{path: spelled, real: f.kind == directory, phantom: f.phantom}
	d.known[path] = own
	return own, nil
}

// lstat is lstat in which nothing is not an error, and a special file is nothing.
func (d *dirs) lstat(path string) (found, error) {
	st, err := disk.LstatAt(d.root, path)
	if errors.Is(err, fs.ErrNotExist) {
		return found{}, nil
	}
	if err != nil {
		return found{}, &fs.PathError{Op: "lstat", Path: d.path + "/" + path, Err: err}
	}
	f := found{stamp: st, kind: kindOf(st)}
	if f.kind == special {
		f = found{}
	}
	return f, nil
}

// list returns the names in a directory, each found by itself and, unless that
// is another's name, in lower case.
func (d *dirs) list(path string) (map[string]string, error) {
	list, err := readNames(d.path + "/" + path)
	if err != nil {
		return nil, err
	}
	slices.Sort(list) // of two names that differ in case alone, the first counts
	names := make(map[string]string, len(list))
	for _, name := range list {
		names[name] = name
	}
	for _, name := range list {
		if folded := asciiLower(name); names[folded] == "" {
			names[folded] = name
		}
	}
	return names, nil
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
