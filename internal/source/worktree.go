package source

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
)

// found is what is on disk at the path of an index entry.
type found struct {
	stamp disk.Stamp
	kind  kind
	// phantom: with core.ignorecase, a file whose name differs in case. For git
	// it is the entry's file; in Nix's eyes it then has no visible name.
	phantom bool
}

// worktree lists the tree of a git flake as Nix sees it: the files that git
// tracks, with what is on disk. It is getWorkdirInfo of Nix's
// src/libfetchers/git-utils.cc (all that libgit2's status does not call
// deleted) together with AllowListSourceAccessor.
func (t *Tree) worktree(r *repository) error {
	root, err := t.openRoot()
	if err != nil {
		return err
	}
	defer unix.Close(root)
	looked, err := t.look(r, root)
	if err != nil {
		return err
	}
	w := worktree{tree: t, dirs: newDirs(t.Root, root, r.ignoreCase), entries: make([]allowedEntry, 0, len(looked))}
	for i, e := range r.entries {
		d := looked[i]
		if e.gitlink {
			t.submodules = append(t.submodules, Submodule{Path: e.path, Commit: e.commit})
		}
		if allowed(e, d.kind) {
			w.entries = append(w.entries, allowedEntry{e.path, d})
		}
	}
	slices.SortFunc(w.entries, func(a, b allowedEntry) int { return strings.Compare(a.path, b.path) })
	st, err := disk.Lstat(t.Root)
	if err != nil {
		return err
	}
	t.root = node{kind: directory, stamp: st}
	t.root.children, err = w.build(w.entries, 0)
	return err
}

// allowed says whether Nix's list of files has the entry e when k is on disk.
func allowed(e indexEntry, k kind) bool {
	onDisk := k == regular || k == link
	switch {
	case e.conflict || onDisk:
		return true
	case e.gitlink:
		return k == directory && e.headIsFile
	}
	return e.unchanged && e.inHead
}

// look asks the disk for every entry, on all cores.
func (t *Tree) look(r *repository, root int) ([]found, error) {
	looked := make([]found, len(r.entries))
	var group errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	chunk := (len(looked) + workers - 1) / workers
	for lo := 0; lo < len(looked); lo += chunk {
		hi := min(lo+chunk, len(looked))
		group.Go(func() error {
			d := newDirs(t.Root, root, r.ignoreCase)
			for i := lo; i < hi; i++ {
				var err error
				if looked[i], err = d.find(r.entries[i].path); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return looked, group.Wait()
}

type allowedEntry struct {
	path string
	disk found
}

// A worktree turns Nix's list of allowed paths into the tree that is visible
// through it: these paths, what is below them, and their ancestors.
type worktree struct {
	tree    *Tree
	dirs    *dirs          // of directories in which no entry is visible
	entries []allowedEntry // in bytewise order of path
}

// build makes the nodes of one directory of entries, all of which begin with
// the directory's path and a slash: the first off bytes.
func (w *worktree) build(entries []allowedEntry, off int) ([]node, error) {
	var nodes []node
	var names []string // of everything allowed here, on disk or not
	for len(entries) > 0 {
		e := entries[0]
		name, _, below := strings.Cut(e.path[off:], "/")
		names = append(names, name)
		path := e.path[:off+len(name)]
		if !below {
			entries = entries[1:]
			n, err := w.entry(e)
			if err != nil {
				return nil, err
			}
			if n.kind != absent {
				nodes = append(nodes, n)
			}
			continue
		}
		inside := path + "/"
		end := 1
		for end < len(entries) && strings.HasPrefix(entries[end].path, inside) {
			end++
		}
		n, err := w.directory(path, entries[:end])
		if err != nil {
			return nil, err
		}
		if n.kind != absent {
			nodes = append(nodes, n)
		}
		entries = entries[end:]
	}
	sortByName(nodes)
	// A conflict can have both a file and, below the same path, more files.
	nodes = slices.CompactFunc(nodes, func(a, b node) bool { return a.path == b.path })
	w.hide(nodes, names)
	return nodes, nil
}

// entry makes the node of an allowed path itself.
func (w *worktree) entry(e allowedEntry) (node, error) {
	if e.disk.phantom {
		return node{}, nil
	}
	switch e.disk.kind {
	case absent:
		return node{}, nil
	case directory: // allowed as a whole, and so is everything in it
		return w.tree.walk(e.path, e.disk.stamp, nil)
	}
	return w.tree.leaf(e.path, e.disk.stamp)
}

// directory makes the node of an ancestor of allowed paths, which is visible
// whatever it is on disk.
func (w *worktree) directory(path string, entries []allowedEntry) (node, error) {
	children, err := w.build(entries, len(path)+1)
	if err != nil {
		return node{}, err
	}
	// What is visible in it has been found below a real directory of this name.
	if len(children) > 0 {
		return node{path: path, kind: directory, children: children}, nil
	}
	d, err := w.dirs.find(path)
	if err != nil || d.phantom {
		return node{}, err
	}
	switch d.kind {
	case absent:
		return node{}, nil
	case directory:
		return node{path: path, kind: directory, stamp: d.stamp, children: children}, nil
	}
	return w.tree.leaf(path, d.stamp)
}

// hide does what Nix does by mistake. It looks for a directory in its sorted
// list of allowed paths, and the order of that list compares bytes as signed
// char, so that the sibling "fooé" comes before "foo/bar": the directory "foo"
// is then not found and, with all that is in it, not visible (operator<=> in
// Nix's src/libutil/include/nix/util/canon-path.hh).
func (w *worktree) hide(nodes []node, names []string) {
	if !slices.ContainsFunc(names, hasHighByte) {
		return
	}
	slices.Sort(names)
	for i := range nodes {
		n := &nodes[i]
		name := n.name()
		if _, whole := slices.BinarySearchFunc(w.entries, n.path, func(e allowedEntry, p string) int { return strings.Compare(e.path, p) }); whole {
			continue
		}
		at, _ := slices.BinarySearch(names, name)
		for ; at < len(names) && strings.HasPrefix(names[at], name); at++ {
			if len(names[at]) > len(name) && names[at][len(name)] >= 0x80 {
				n.hidden = true
				w.tree.Warnings = append(w.tree.Warnings, fmt.Sprintf(
					"Nix leaves the directory %q out of the flake, because %q stands beside it (a bug in Nix with names that go on with a byte above 0x7f): rename one of them",
					n.path, names[at]))
				break
			}
		}
	}
}

func hasHighByte(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return true
		}
	}
	return false
}
