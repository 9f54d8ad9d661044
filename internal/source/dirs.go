package source

import (
	"errors"
	"io/fs"
	"strings"

	"cachekey/internal/disk"
)

// dirs looks paths up on disk as git's libraries do: with lstat, and never
// through a symbolic link. It remembers directories. Not for concurrent use.
type dirs struct {
	path       string // of the root directory
	root       int    // the same, open
	ignoreCase bool
	real       map[string]bool            // whether the directory at the path is a real one
	names      map[string]map[string]bool // with ignoreCase: the names in a directory
	last       string                     // the directory asked for last, and its answer:
	lastReal   bool                       // entries come sorted, so it is mostly the same
}

func newDirs(path string, root int, ignoreCase bool) *dirs {
	return &dirs{path: path, root: root, ignoreCase: ignoreCase, real: map[string]bool{"": true}, names: map[string]map[string]bool{}, lastReal: true}
}

// find says what is at path.
func (d *dirs) find(path string) (found, error) {
	if d.ignoreCase {
		return d.findIgnoringCase(path)
	}
	dir := ""
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir = path[:i]
	}
	if dir != d.last {
		real, err := d.isReal(dir)
		if err != nil {
			return found{}, err
		}
		d.last, d.lastReal = dir, real
	}
	if !d.lastReal {
		return found{}, nil
	}
	return d.lstat(path)
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

// isReal says whether dir, and every directory above it, is a directory and
// not a link to one.
func (d *dirs) isReal(dir string) (bool, error) {
	if real, known := d.real[dir]; known {
		return real, nil
	}
	parent := ""
	if i := strings.LastIndexByte(dir, '/'); i >= 0 {
		parent = dir[:i]
	}
	real, err := d.isReal(parent)
	if err != nil {
		return false, err
	}
	if real {
		f, err := d.lstat(dir)
		if err != nil {
			return false, err
		}
		real = f.kind == directory
	}
	d.real[dir] = real
	return real, nil
}

// findIgnoringCase is find where core.ignorecase is true: names are compared
// without regard to (ASCII) case, as libgit2's iterators do.
func (d *dirs) findIgnoringCase(path string) (found, error) {
	at, phantom := "", false
	var f found
	for rest := path; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		names, err := d.list(at)
		if err != nil {
			return found{}, err
		}
		if !names[name] {
			other, ok := foldedName(names, name)
			if !ok {
				return found{}, nil
			}
			name, phantom = other, true
		}
		if at != "" {
			name = at + "/" + name
		}
		if f, err = d.lstat(name); err != nil {
			return found{}, err
		}
		if rest != "" && f.kind != directory {
			return found{}, nil
		}
		at = name
	}
	f.phantom = phantom
	return f, nil
}

func (d *dirs) list(dir string) (map[string]bool, error) {
	if names, known := d.names[dir]; known {
		return names, nil
	}
	list, err := readNames(d.path + "/" + dir)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(list))
	for _, name := range list {
		names[name] = true
	}
	d.names[dir] = names
	return names, nil
}

func foldedName(names map[string]bool, name string) (string, bool) {
	folded := asciiLower(name)
	for other := range names {
		if asciiLower(other) == folded {
			return other, true
		}
	}
	return "", false
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
