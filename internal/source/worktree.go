package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"cachekey/internal/disk"
)

// worktree lists the tree of a git flake as Nix sees it: the files that git
// tracks, as they are on disk. It is getWorkdirInfo of Nix's
// src/libfetchers/git-utils.cc (everything that libgit2's status does not call
// deleted) together with AllowListSourceAccessor.
func (t *Tree) worktree(ctx context.Context) error {
	nodes, err := t.lookUpEntries()
	if err != nil {
		return err
	}
	allowed := nodes[:0]
	for i := range t.repository.entries {
		e := &t.repository.entries[i]
		if e.gitlink {
			t.submodules = append(t.submodules, newSubmodule(e.path, e.commit))
		}
		if e.allowed(nodes[i].kind) {
			allowed = append(allowed, nodes[i])
		}
	}
	slices.SortFunc(allowed, func(a, b Node) int { return strings.Compare(a.path, b.path) })
	st, err := disk.Lstat(t.Root)
	if err != nil {
		return err
	}
	w := worktree{ctx: ctx, tree: t, dirs: newDirs(t), allowed: allowed}
	t.root = Node{kind: disk.Directory, stamp: st}
	t.root.children, err = w.build(allowed, 0)
	return err
}

// allowed reports whether Nix's list of files has the entry e if an entry of
// this kind is on disk.
func (e *indexEntry) allowed(onDisk disk.Kind) bool {
	switch {
	case e.conflict || onDisk == disk.File || onDisk == disk.Link:
		return true
	case e.gitlink:
		return onDisk == disk.Directory && e.headIsFile
	}
	return e.unchanged && e.inHead
}

// lookUpEntries looks up every entry of the index on disk, on all cores.
func (t *Tree) lookUpEntries() ([]Node, error) {
	entries := t.repository.entries
	nodes := make([]Node, len(entries))
	var group errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	chunk := (len(entries) + workers - 1) / workers
	for lo := 0; lo < len(entries); lo += chunk {
		hi := min(lo+chunk, len(entries))
		group.Go(func() error {
			d := newDirs(t)
			for i := lo; i < hi; i++ {
				var err error
				if nodes[i], _, err = d.lookUp(entries[i].path); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return nodes, group.Wait()
}

// dirs looks up paths on disk as git's libraries do: with lstat, and never
// through a symbolic link. With core.ignorecase it ignores the case of ASCII
// letters, as libgit2's iterators do. It remembers directories and must not be
// used concurrently.
type dirs struct {
	tree  *Tree
	known map[string]*dir
	last  *dir // the one of the last path: entries are sorted, so it is mostly the next one's too
}

// A dir is the result of looking up a directory of the index.
type dir struct {
	path   string // in the index
	onDisk string // as its name is spelled there
	real   bool   // it and all its ancestors are directories, not links to one
	hidden bool   // its name or an ancestor's differs in case

	// With core.ignorecase, the names in it:
	listed bool
	names  []string          // sorted
	lower  map[string]string // by their spelling in lower case; nil until it is needed
}

func newDirs(t *Tree) *dirs {
	root := &dir{real: true}
	return &dirs{tree: t, known: map[string]*dir{"": root}, last: root}
}

// lookUp returns a node for what is at path, of kind Absent if there is nothing
// that git would track, and how the path is spelled on disk. If that differs in
// case, the node is hidden: git takes it for the entry's file, but its name is
// not on Nix's list.
func (d *dirs) lookUp(path string) (n Node, onDisk string, err error) {
	n.path = path
	parent, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	in := d.last
	if in.path != parent {
		if in, err = d.directory(parent); err != nil {
			return n, "", err
		}
		d.last = in
	}
	if !in.real {
		return n, "", nil
	}
	onDisk = path
	if d.tree.repository.ignoreCase {
		if !in.listed {
			if in.names, err = d.tree.names(in.onDisk); err != nil {
				return n, "", err
			}
			slices.Sort(in.names)
			in.listed = true
		}
		own := in.spelling(name)
		if own == "" {
			return n, "", nil
		}
		n.hidden = in.hidden || own != name
		if n.hidden {
			onDisk = strings.TrimPrefix(in.onDisk+"/"+own, "/")
		}
	}
	st, err := disk.LstatAt(d.tree.dir.FD(), onDisk)
	switch kind := st.Kind(); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return n, "", d.tree.error("lstat", onDisk, err)
	case kind == disk.File || kind == disk.Link || kind == disk.Directory:
		n.kind, n.stamp = kind, st
	}
	return n, onDisk, nil
}

func (d *dirs) directory(path string) (*dir, error) {
	if known := d.known[path]; known != nil {
		return known, nil
	}
	n, onDisk, err := d.lookUp(path)
	if err != nil {
		return nil, err
	}
	own := &dir{path: path, onDisk: onDisk, real: n.kind == disk.Directory, hidden: n.hidden}
	d.known[path] = own
	return own, nil
}

// spelling returns the name in d that is name but for the case of its letters, or "".
// If several differ in case, any of them will do: none is on Nix's list.
func (d *dir) spelling(name string) string {
	if _, ok := slices.BinarySearch(d.names, name); ok {
		return name
	}
	if d.lower == nil {
		d.lower = make(map[string]string, len(d.names))
		for _, own := range d.names {
			d.lower[asciiLower(own)] = own
		}
	}
	return d.lower[asciiLower(name)]
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

// A worktree turns Nix's list of allowed paths into the tree that is visible
// through it: these paths, everything below them, and their ancestors.
type worktree struct {
	ctx     context.Context
	tree    *Tree
	dirs    *dirs
	allowed []Node // in bytewise order of path
}

// build makes the nodes of one directory of nodes, all of which begin with
// the directory's path and a slash: the first off bytes.
func (w *worktree) build(nodes []Node, off int) ([]Node, error) {
	var children []Node
	var names []string // of everything allowed here, on disk or not
	for len(nodes) > 0 {
		n := nodes[0]
		name, _, below := strings.Cut(n.path[off:], "/")
		names = append(names, name)
		end := 1
		var err error
		if below {
			path := n.path[:off+len(name)]
			inside := path + "/"
			for end < len(nodes) && strings.HasPrefix(nodes[end].path, inside) {
				end++
			}
			n, err = w.directory(path, nodes[:end])
		} else if n.kind == disk.Directory && !n.hidden { // allowed as a whole, and so is everything in it
			n, err = w.tree.walk(w.ctx, n.path, n.stamp, nil)
		}
		if err != nil {
			return nil, err
		}
		if n.kind != disk.Absent && !n.hidden {
			children = append(children, n)
		}
		nodes = nodes[end:]
	}
	sortByName(children)
	// A conflict can have both a file and, below the same path, more files.
	children = slices.CompactFunc(children, func(a, b Node) bool { return a.path == b.path })
	w.hide(children, names)
	return children, nil
}

// directory makes the node of an ancestor of allowed paths, which is visible
// whatever it is on disk.
func (w *worktree) directory(path string, nodes []Node) (Node, error) {
	children, err := w.build(nodes, len(path)+1)
	if err != nil {
		return Node{}, err
	}
	// A visible child has been found below a real directory of this name.
	if len(children) > 0 {
		return Node{path: path, kind: disk.Directory, children: children}, nil
	}
	n, _, err := w.dirs.lookUp(path)
	return n, err
}

// hide reproduces a bug in Nix, which looks for a directory in its sorted list
// of allowed paths. The order of that list compares bytes as signed char, so
// that the sibling "fooé" comes before "foo/bar": the directory "foo" is then
// not found and, with everything in it, not visible (operator<=> in Nix's
// src/libutil/include/nix/util/canon-path.hh).
func (w *worktree) hide(nodes []Node, names []string) {
	if !slices.ContainsFunc(names, func(name string) bool {
		return strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) // also of a byte that is not UTF-8
	}) {
		return
	}
	slices.Sort(names)
	for i := range nodes {
		n := &nodes[i]
		name := n.name()
		if _, whole := slices.BinarySearchFunc(w.allowed, n.path, func(n Node, p string) int { return strings.Compare(n.path, p) }); whole {
			continue
		}
		at, _ := slices.BinarySearch(names, name)
		for ; at < len(names) && strings.HasPrefix(names[at], name); at++ {
			if len(names[at]) > len(name) && names[at][len(name)] >= 0x80 {
				n.hidden = true
				w.tree.Warnings = append(w.tree.Warnings, fmt.Sprintf(
					"Nix leaves the directory %q out of the flake, because of its sibling %q (a bug in Nix with names that continue with a byte above 0x7f): rename one of them",
					n.path, names[at]))
				break
			}
		}
	}
}
