// Package source lists a flake's source tree as Nix sees it and computes its
// narHash, without Nix and without copying anything.
//
// A file's way from disk to hash: git's index (git.go) or a directory's listing
// (node.go) names it, lstat makes it a [Node] (worktree.go, node.go), workers read
// and frame it, and SHA-256 sees it as a part of the NAR (nar.go).
//
// What is in the tree follows Nix 2.34 for local flakes: in a git work tree the
// files that git tracks with the bytes and modes that are on disk, elsewhere
// everything. The narHash is the SHA-256 of the tree's NAR (Nix archive):
//
//	nix flake metadata --json | jq -r .locked.narHash    # a flake
//	nix hash path DIR                                    # any other directory
package source

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// A Tree is the source tree of a flake, or of a directory without one. It holds
// names and the results of lstat. Contents are read later; if they are no longer
// those that were listed, the error is a *ChangedError.
type Tree struct {
	Root     string   // its directory: absolute, without symbolic links
	Flake    string   // the directory of its flake.nix, in or below Root; "" if there is none
	Git      bool     // whether Root is a git work tree: the tree is then what git tracks
	Warnings []string // about things that affect the narHash unexpectedly

	dir        *disk.Dir // Root, open: looking up files from it takes a third less time than by absolute paths
	root       Node
	submodules []Node
	repository *repository // nil outside git
	progress   func(done, total int64)
	kept       atomic.Int64 // bytes of contents that are kept
}

// Options change what Open does. The zero value means what Nix does.
type Options struct {
	// WithoutFlake accepts a git work tree without a flake.nix, which for Nix
	// has no narHash. It is treated as if it were a flake.
	WithoutFlake bool

	// Skip leaves names out of the tree's root directory, outside git.
	Skip func(name string, isLink bool) bool

	// Needs names a file in the root. Without it, a tree outside git is not
	// listed, because listing the wrong directory can take long: the error is a
	// *MissingError.
	Needs string

	// Progress, if it is not nil, is called with the number of bytes of files
	// that NarHash has hashed, and their total.
	Progress func(done, total int64)
}

// A MissingError reports that a directory lacks the file that Options.Needs names.
type MissingError struct{ Dir, Name string }

func (e *MissingError) Error() string { return fmt.Sprintf("no file in %q matches %s", e.Dir, e.Name) }

// Open finds the flake that dir is in as Nix does and lists its source tree.
// With no flake and no git at dir or above it, the tree is dir itself. The
// caller must close the tree.
func Open(ctx context.Context, dir string, o Options) (_ *Tree, err error) {
	p, err := find(dir, o.WithoutFlake)
	if err != nil {
		return nil, err
	}
	t := &Tree{Root: p.root, Flake: p.flake, Git: p.git, progress: o.Progress}
	if t.dir, err = disk.OpenRoot(t.Root); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	if t.Git {
		if t.repository, err = openRepository(ctx, t.Root); err != nil {
			return nil, err
		}
		if err = t.worktree(ctx); err == nil {
			t.warnOfSubmodules(ctx)
		}
		return t, err
	}
	if there, err := exists(filepath.Join(t.Root, o.Needs)); err == nil && !there {
		return nil, &MissingError{t.Root, o.Needs}
	}
	st, err := disk.Lstat(t.Root)
	if err != nil {
		return nil, err
	}
	t.root, err = t.walk(ctx, "", st, o.Skip)
	return t, err
}

// Close closes the tree's root directory.
func (t *Tree) Close() { t.dir.Close() }

// Files returns the files and symbolic links of the tree, in no particular
// order, then git's submodules, which Nix leaves out. Files that a bug in Nix
// leaves out of the NAR are among them.
func (t *Tree) Files() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		if !t.root.files(yield) {
			return
		}
		for i := range t.submodules {
			if !yield(&t.submodules[i]) {
				return
			}
		}
	}
}

func (n *Node) files(yield func(*Node) bool) bool {
	if n.kind != disk.Directory {
		return yield(n)
	}
	for i := range n.children {
		if !n.children[i].files(yield) {
			return false
		}
	}
	return true
}

// Has reports whether the tree has a file or directory at path.
func (t *Tree) Has(path string) bool { return t.lookup(path) != nil }

// ReadFile returns the contents of the regular file at an absolute path, if it
// is in the tree and has at most limit bytes. They are kept for NarHash and Copy.
func (t *Tree) ReadFile(path string, limit int64) (b []byte, ok bool, err error) {
	rel, err := filepath.Rel(t.Root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, false, nil
	}
	n := t.lookup(filepath.ToSlash(rel))
	if n == nil || n.kind != disk.File || n.stamp.Size > limit {
		return nil, false, nil
	}
	b, err = t.read(n)
	return b, err == nil, err
}

// read keeps the contents of the file n and returns them.
func (t *Tree) read(n *Node) ([]byte, error) {
	t.Keep(n)
	var text bytes.Buffer
	err := t.Copy(&text, n)
	return text.Bytes(), err
}

// checkFlake returns an error for a flake that Nix refuses, and for one whose
// narHash is not that of the tree on disk.
func (t *Tree) checkFlake() error {
	if !t.Git || t.Flake == "" {
		return nil
	}
	rel, err := filepath.Rel(t.Root, filepath.Join(t.Flake, "flake.nix"))
	if err != nil {
		return err
	}
	text, err := t.readTracked(filepath.ToSlash(rel))
	if err != nil {
		return err
	}
	attr, found, err := selfInput(text)
	if err != nil {
		return message.WithHint(fmt.Errorf("reading the inputs of %q: %w", filepath.Join(t.Flake, "flake.nix"), err),
			"cachekey must know whether they set inputs.self; pass the hash with --nar-hash")
	}
	if found {
		return message.WithHint(fmt.Errorf("%q sets inputs.self%s: Nix then reads a clean tree from git's objects", filepath.Join(t.Flake, "flake.nix"), attr),
			"only Nix can compute that narHash: pass it with --nar-hash \"$(nix flake metadata --json | jq -r .locked.narHash)\"")
	}
	return nil
}

// readTracked reads a file of a git flake, through symbolic links between
// tracked files.
func (t *Tree) readTracked(path string) ([]byte, error) {
	const limit = 1 << 20 // 1 MiB: far more than any flake.nix
	start := path
	for range 40 { // as many links as the kernel follows
		n := t.lookup(path)
		if n == nil {
			abs := t.abs(path)
			if ok, _ := exists(abs); !ok {
				return nil, fmt.Errorf("%q leads to %q, which does not exist in the git repository", t.abs(start), abs)
			}
			return nil, message.WithHint(fmt.Errorf("%q is not tracked by git, so Nix does not see it", abs),
				"git -C %q add %q", t.Root, path)
		}
		switch n.kind {
		case disk.File:
			if n.stamp.Size > limit {
				return nil, fmt.Errorf("%q has %d bytes, too many for a flake.nix", t.abs(path), n.stamp.Size)
			}
			return t.read(n)
		case disk.Link:
			target, err := t.Target(n)
			if err != nil {
				return nil, err
			}
			next := filepath.Join(filepath.Dir(filepath.FromSlash(path)), target)
			if filepath.IsAbs(target) || !filepath.IsLocal(next) {
				return nil, fmt.Errorf("%q is a link out of the git repository", t.abs(path))
			}
			path = filepath.ToSlash(next)
		default:
			return nil, fmt.Errorf("%q is a directory", t.abs(path))
		}
	}
	return nil, fmt.Errorf("%q: too many symbolic links", t.abs(start))
}

// Follow returns the nodes that the symbolic link n leads to: the links on the way,
// and the file at its end unless that is a directory. If there is something at its
// end that is neither in the tree nor in a submodule, outside is its path.
func (t *Tree) Follow(n *Node) (way []*Node, outside string, err error) {
	link := n
	var at []string // the directory that names are looked up in
	pending := strings.Split(n.path, "/")
	for links := 0; len(pending) > 0; {
		name := pending[0]
		pending = pending[1:]
		if name == "" || name == "." {
			continue
		}
		if name == ".." && len(at) == 0 {
			return way, t.linkEnd(link), nil
		}
		if name == ".." {
			at = at[:len(at)-1]
			continue
		}
		path := strings.Join(append(slices.Clone(at), name), "/")
		if slices.ContainsFunc(t.submodules, func(s Node) bool { return s.path == path }) {
			return way, "", nil // its commit says what is in it
		}
		n := t.lookup(path)
		if n == nil {
			return way, t.linkEnd(link), nil
		}
		if n != link {
			way = append(way, n)
		}
		switch n.kind {
		case disk.Directory:
			way = way[:len(way)-1]
			at = append(at, name)
		case disk.Link:
			target, err := t.Target(n)
			if err != nil {
				return nil, "", err
			}
			if links++; links > 40 || strings.HasPrefix(target, "/") {
				return way, t.linkEnd(link), nil
			}
			pending = append(strings.Split(target, "/"), pending...)
		}
	}
	return way, "", nil
}

// linkEnd returns the path that link leads to, or "" if nothing exists there.
func (t *Tree) linkEnd(link *Node) string {
	end, err := filepath.EvalSymlinks(t.abs(link.path))
	if err != nil {
		return ""
	}
	return end
}

// lookup returns the node at path, or nil.
func (t *Tree) lookup(path string) *Node {
	n := &t.root
	for name := range strings.SplitSeq(path, "/") {
		i, ok := slices.BinarySearchFunc(n.children, name, func(c Node, name string) int { return strings.Compare(c.name(), name) })
		if !ok {
			return nil
		}
		n = &n.children[i]
	}
	return n
}

// unchanged returns an error unless git's index still lists what it listed when
// the tree was opened. Git itself rewrites the file now and then, so its bytes
// prove nothing.
func (t *Tree) unchanged(ctx context.Context) error {
	if t.repository == nil {
		return t.sameDirectories(&t.root)
	}
	before := t.repository.indexStamp
	if now, err := disk.Lstat(t.repository.index); err == nil && now == before {
		return nil
	}
	again, err := openRepository(ctx, t.Root)
	if err != nil {
		return err
	}
	if !slices.Equal(again.entries, t.repository.entries) {
		return &ChangedError{t.repository.index}
	}
	return nil
}

// sameDirectories returns an error if a directory has gained or lost a name. It
// is for trees without an index. The root's own stamp may change, because names
// that are skipped come and go there.
func (t *Tree) sameDirectories(n *Node) error {
	for i := range n.children {
		c := &n.children[i]
		if c.kind != disk.Directory {
			continue
		}
		if st, err := disk.LstatAt(t.dir.FD(), c.path); err != nil || st != c.stamp {
			return &ChangedError{t.abs(c.path)}
		}
		if err := t.sameDirectories(c); err != nil {
			return err
		}
	}
	return nil
}
