package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
)

// maxDepth is the number of components that a path in a NAR may have: Nix 2.34
// refuses more ("exceeds maximum NAR directory depth of 64").
const maxDepth = 63

// A Node is a file, a symbolic link or a directory of the tree, or a submodule.
type Node struct {
	path     string    // relative to the tree's root, slash-separated, raw bytes; "" is the root
	kind     disk.Kind // File, Link or Directory; Other for a submodule
	hidden   bool      // not in the NAR
	stamp    disk.Stamp
	children []Node // of a directory, in bytewise order of their names
	kept     *kept  // nil unless Keep was called
}

// Path returns the path, slash-separated and relative to the tree's root.
func (n *Node) Path() string { return n.path }

// Type returns 'f' for a regular file, 'l' for a symbolic link and 'g' for a
// submodule (a gitlink).
func (n *Node) Type() byte {
	switch n.kind {
	case disk.Link:
		return 'l'
	case disk.Other:
		return 'g'
	}
	return 'f'
}

// Size returns the number of bytes that Copy writes. It is not for symbolic
// links: some file systems report a size that is not the length of the target.
func (n *Node) Size() int64 { return n.stamp.Size }

func (n *Node) name() string { return n.path[strings.LastIndexByte(n.path, '/')+1:] }

// sortByName sorts the nodes of one directory into the order of a NAR.
func sortByName(nodes []Node) {
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.name(), b.name()) })
}

// newSubmodule returns the node of a gitlink. Its contents are the commit that
// the index has, in hexadecimal.
func newSubmodule(path, commit string) Node {
	return Node{path: path, kind: disk.Other, stamp: disk.Stamp{Size: int64(len(commit))}, kept: &kept{contents: []byte(commit)}}
}

// walk lists everything below the directory at path, tracked or not. It leaves
// out names in the tree's root for which skip returns true.
func (t *Tree) walk(ctx context.Context, path string, st disk.Stamp, skip func(name string, isLink bool) bool) (Node, error) {
	n := Node{path: path, kind: disk.Directory, stamp: st}
	if err := ctx.Err(); err != nil {
		return n, err
	}
	names, err := t.names(path)
	if err != nil {
		return n, err
	}
	for _, name := range names {
		child := name
		if path != "" {
			child = path + "/" + name
		}
		st, err := disk.LstatAt(t.dir.FD(), child)
		if err != nil {
			return n, changed(t.error("lstat", child, err))
		}
		kind := st.Kind()
		if path == "" && skip != nil && skip(name, kind == disk.Link) {
			continue
		}
		c := Node{path: child, kind: kind, stamp: st}
		switch kind {
		case disk.File, disk.Link:
		case disk.Directory:
			if c, err = t.walk(ctx, child, st, skip); err != nil {
				return n, err
			}
		default:
			return n, fmt.Errorf("%q is a fifo, a socket or a device, which no flake can contain", t.abs(child))
		}
		n.children = append(n.children, c)
	}
	sortByName(n.children)
	return n, nil
}

// names returns the names in the directory at path, in no order.
func (t *Tree) names(path string) ([]string, error) {
	at := path
	if path == "" {
		at = "."
	}
	names, err := disk.NamesAt(t.dir.FD(), at)
	if err != nil {
		return nil, t.error("open", path, err)
	}
	return names, nil
}

// abs returns the absolute path. It is filepath.Join for paths that need no
// cleaning, because it is called for every file.
func (t *Tree) abs(path string) string {
	if path == "" || t.Root == "/" {
		return filepath.Join(t.Root, path)
	}
	return t.Root + "/" + path
}

func (t *Tree) error(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: t.abs(path), Err: err}
}

// A ChangedError reports that a file was written, replaced or removed while the
// tree was being read, so that no hash of it means anything.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%q changed while the tree was being read", e.Path)
}

// changed returns err, or a *ChangedError if something that was listed is gone.
func changed(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) && errors.Is(err, fs.ErrNotExist) {
		return &ChangedError{e.Path}
	}
	return err
}

// maxKept is how many bytes of files' contents a tree keeps: more than all locks
// and manifests of an ordinary repository. Files beyond it are read again.
const maxKept = 8 << 20 // 8 MiB

// kept holds the contents of a file once they have been read.
type kept struct {
	sync.Mutex
	contents []byte // nil before
}

// Keep makes the tree remember the contents of the file n when they are first
// read, so that Copy and NarHash open it once. It must be called before these.
func (t *Tree) Keep(n *Node) {
	if n.kept == nil && n.kind == disk.File {
		n.kept = &kept{}
	}
}

// contents returns the contents of n if they are kept.
func (t *Tree) contents(n *Node) (b []byte, ok bool, err error) {
	if n.kept == nil {
		return nil, false, nil
	}
	n.kept.Lock()
	defer n.kept.Unlock()
	if n.kept.contents != nil {
		return n.kept.contents, true, nil
	}
	if t.kept.Add(n.stamp.Size) > maxKept {
		t.kept.Add(-n.stamp.Size)
		return nil, false, nil
	}
	n.kept.contents, err = t.appendFile(nil, n)
	return n.kept.contents, err == nil, err
}

// Copy writes the contents of the regular file n to w; of a submodule, the
// commit. The error is a *ChangedError if they are not those that were listed.
// Copy may be called concurrently.
func (t *Tree) Copy(w io.Writer, n *Node) error {
	if b, ok, err := t.contents(n); err != nil {
		return err
	} else if ok {
		_, err = w.Write(b)
		return err
	}
	fd, err := t.open(n)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var b []byte
	for offset := int64(0); offset < n.stamp.Size; offset += pieceSize {
		if b, err = t.appendPiece(b[:0], fd, n, offset, min(pieceSize, n.stamp.Size-offset)); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return t.check(fd, n)
}

// Target returns the target of the symbolic link n, verbatim. The error is a
// *ChangedError if the link is not the one that was listed. Target may be called
// concurrently.
func (t *Tree) Target(n *Node) (string, error) {
	b := make([]byte, 4096+1) // PATH_MAX, and one more to notice
	count, err := disk.ReadlinkAt(t.dir.FD(), n.path, b)
	if err == unix.EINVAL {
		return "", &ChangedError{t.abs(n.path)}
	}
	if err != nil {
		return "", changed(t.error("readlink", n.path, err))
	}
	if st, err := disk.LstatAt(t.dir.FD(), n.path); err != nil || st != n.stamp {
		return "", &ChangedError{t.abs(n.path)}
	}
	return string(b[:count]), nil
}

// open opens the file n. The caller calls check when it has read it.
func (t *Tree) open(n *Node) (fd int, err error) {
	fd, err = disk.OpenAt(t.dir.FD(), n.path, 0)
	if err == unix.ELOOP {
		return -1, &ChangedError{t.abs(n.path)}
	}
	if err != nil {
		return -1, changed(t.error("open", n.path, err))
	}
	return fd, nil
}

// check returns an error unless the open file is the one that was listed, not
// written since.
func (t *Tree) check(fd int, n *Node) error {
	st, err := disk.Fstat(fd)
	if err != nil {
		return t.error("stat", n.path, err)
	}
	if st != n.stamp {
		return &ChangedError{t.abs(n.path)}
	}
	return nil
}

// appendFile appends the contents of the file n to b.
func (t *Tree) appendFile(b []byte, n *Node) ([]byte, error) {
	fd, err := t.open(n)
	if err != nil {
		return b, err
	}
	defer unix.Close(fd)
	if b, err = t.appendPiece(b, fd, n, 0, n.stamp.Size); err != nil {
		return b, err
	}
	return b, t.check(fd, n)
}

// appendPiece appends length bytes of the open file n, from offset on, to b.
func (t *Tree) appendPiece(b []byte, fd int, n *Node, offset, length int64) ([]byte, error) {
	b = slices.Grow(b, int(length)+64) // 64: what follows the contents fits too
	start := len(b)
	count, err := disk.ReadAt(fd, b[start:start+int(length)], offset)
	b = b[:start+count]
	if int64(count) == length {
		return b, nil
	}
	if err := t.check(fd, n); err != nil {
		return b, err // a directory by now, or shorter
	}
	if err != nil {
		return b, t.error("read", n.path, err)
	}
	return b, &ChangedError{t.abs(n.path)}
}
