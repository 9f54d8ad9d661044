// Package source knows a flake's source tree as Nix sees it: where it begins,
// which files are in it, and its narHash, computed without Nix and without
// copying anything.
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
	"path/filepath"
	"slices"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// A Tree is the source tree of a flake, or of a directory that is none. It
// lists names and what lstat says of them; contents are read when asked for,
// and an error tells if they are no longer those that were listed.
type Tree struct {
	Root     string   // its directory: absolute, without symbolic links
	Flake    string   // the directory of its flake.nix, in or below Root; "" if there is none
	Git      bool     // whether Root is a git work tree, and the tree what git tracks
	Warnings []string // what is right but may surprise

	root       node
	progress   func(done, total int64)
	submodules []Submodule
	repository *repository // nil outside git
}

// A Submodule is a gitlink in git's index. Nix leaves it out of the tree.
type Submodule struct {
	Path   string // slash-separated, relative to Root
	Commit string // hexadecimal, as the index has it
}

// Options are what Open may do otherwise than Nix.
type Options struct {
	// WithoutFlake accepts a git work tree that has no flake.nix. For Nix it
	// is not a flake and has no narHash; here it is treated as if it were one.
	WithoutFlake bool

	// Skip leaves names out of the tree's root directory, outside git.
	Skip func(name string, isLink bool) bool

	// Needs names a file of the root without which a tree outside git is not
	// listed, for that can take long where somebody has lost their way: the
	// error is a *MissingError.
	Needs string

	// Progress, if it is not nil, is told how many bytes of files NarHash has
	// hashed, of how many.
	Progress func(done, total int64)
}

// A MissingError says that a directory lacks the file that Options.Needs.
type MissingError struct{ Dir, Name string }

func (e *MissingError) Error() string { return fmt.Sprintf("no file in %q matches %s", e.Dir, e.Name) }

// Open finds the flake that dir is in as Nix does and lists its source tree.
// With no flake and no git at dir or above it, the tree is dir itself.
func Open(ctx context.Context, dir string, o Options) (*Tree, error) {
	p, err := find(dir, o.WithoutFlake)
	if err != nil {
		return nil, err
	}
	t := &Tree{Root: p.root, Flake: p.flake, Git: p.git, progress: o.Progress}
	if !t.Git {
		if there, err := exists(filepath.Join(t.Root, o.Needs)); err == nil && !there {
			return nil, &MissingError{t.Root, o.Needs}
		}
		st, err := disk.Lstat(t.Root)
		if err != nil {
			return nil, err
		}
		t.root, err = t.walk("", st, o.Skip)
		return t, err
	}
	if t.repository, err = openRepository(ctx, t.Root); err != nil {
		return nil, err
	}
	return t, t.worktree(t.repository)
}

// checkFlake refuses what Nix refuses, and what has another narHash than that
// of the tree on disk.
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
			"cachekey has to know whether they say inputs.self; give the hash with --nar-hash")
	}
	if found {
		return message.WithHint(fmt.Errorf("%q sets inputs.self%s: Nix then reads a clean tree from git's objects", filepath.Join(t.Flake, "flake.nix"), attr),
			"only Nix can compute that narHash: give it with --nar-hash \"$(nix flake metadata --json | jq -r .locked.narHash)\"")
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
		case regular:
			var text bytes.Buffer
			if n.stamp.Size > limit {
				return nil, fmt.Errorf("%q has %d bytes: that is no flake.nix", t.abs(path), n.stamp.Size)
			}
			err := t.copyFile(&text, n)
			return text.Bytes(), err
		case link:
			target, err := t.readLink(n)
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

// lookup finds the node at path, or gives nil.
func (t *Tree) lookup(path string) *node {
	n := &t.root
	for name := range strings.SplitSeq(path, "/") {
		i, ok := slices.BinarySearchFunc(n.children, name, func(c node, name string) int { return strings.Compare(c.name(), name) })
		if !ok {
			return nil
		}
		n = &n.children[i]
	}
	return n
}

// unchanged tells whether git's index still says what it said when the tree was
// listed. Git itself rewrites the file now and then, so its bytes tell nothing.
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

// sameDirectories checks, where no index lists the files, that no directory
// has gained or lost a name. The root's own stamp may change: names that are
// skipped come and go there.
func (t *Tree) sameDirectories(n *node) error {
	for i := range n.children {
		c := &n.children[i]
		if c.kind != directory {
			continue
		}
		if st, err := disk.Lstat(t.abs(c.path)); err != nil || st != c.stamp {
			return &ChangedError{t.abs(c.path)}
		}
		if err := t.sameDirectories(c); err != nil {
			return err
		}
	}
	return nil
}
