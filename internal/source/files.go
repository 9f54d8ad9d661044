package source

import (
	"context"
	"io"
	"path"
	"strings"
)

// A File is a regular file or a symbolic link of the tree.
type File struct {
	node *node
}

// Path is slash-separated and relative to the tree's root.
func (f File) Path() string { return f.node.path }

// Link says that the file is a symbolic link.
func (f File) Link() bool { return f.node.kind == link }

// Size is the number of bytes of a regular file's contents. What a file system
// says of a link's size is not always the length of its target.
func (f File) Size() int64 { return f.node.stamp.Size }

// Files gives the files of the tree for which match is true, in no special
// order. Those that a bug in Nix leaves out of the NAR are among them.
func (t *Tree) Files(match func(path string) bool) []File {
	var all []File
	var add func(n *node)
	add = func(n *node) {
		for i := range n.children {
			c := &n.children[i]
			if c.kind == directory {
				add(c)
			} else if match(c.path) {
				all = append(all, File{c})
			}
		}
	}
	add(&t.root)
	return all
}

// Has says whether the tree has a file or directory at path.
func (t *Tree) Has(path string) bool { return t.lookup(path) != nil }

// Copy writes the contents of the regular file f to w. The error is a
// *ChangedError if they are not those that were listed.
func (t *Tree) Copy(w io.Writer, f File) error { return t.copyFile(w, f.node) }

// Target gives the target of the symbolic link f, verbatim. The error is a
// *ChangedError if the link is not the one that was listed.
func (t *Tree) Target(f File) (string, error) { return t.readLink(f.node) }

// Submodules gives git's submodules, in the order of the index.
func (t *Tree) Submodules() []Submodule { return t.submodules }

// Untracked gives the paths of files that git neither tracks nor ignores, for
// which match is true. New directories are looked into just for names: those
// that a person who forgets `git add` has in mind.
func (t *Tree) Untracked(ctx context.Context, match func(path string) bool, names []string) ([]string, error) {
	if t.repository == nil {
		return nil, nil
	}
	others, err := t.repository.untracked(ctx)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, p := range others {
		if !strings.HasSuffix(p, "/") {
			if match(p) {
				all = append(all, p)
			}
			continue
		}
		for _, n := range names {
			inside := path.Join(p, n)
			if there, err := exists(t.abs(inside)); err == nil && there && match(inside) {
				all = append(all, inside)
			}
		}
	}
	return all, nil
}
