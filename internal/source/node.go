package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
)

type kind uint8

const (
	absent kind = iota
	regular
	link
	directory
	special // a fifo, a socket or a device: no NAR can hold it
)

// kindOf tells what lstat has seen.
func kindOf(st disk.Stamp) kind {
	switch st.Type() {
	case unix.S_IFREG:
		return regular
	case unix.S_IFLNK:
		return link
	case unix.S_IFDIR:
		return directory
	}
	return special
}

// maxDepth is the number of components that a path in a NAR may have: Nix 2.34
// refuses more ("exceeds maximum NAR directory depth of 64").
const maxDepth = 63

// A node is one file, link or directory of the tree.
type node struct {
	path     string // from the tree's root, slash-separated, raw bytes; "" is the root
	kind     kind
	hidden   bool // left out of the NAR by Nix's high-byte bug
	stamp    disk.Stamp
	children []node // of a directory, in bytewise order of their names
}

func (n *node) name() string { return n.path[strings.LastIndexByte(n.path, '/')+1:] }

// sortByName puts nodes of one directory into the order of a NAR.
func sortByName(nodes []node) {
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.name(), b.name()) })
}

// walk lists everything below the directory at path, tracked or not. Names in
// the tree's root for which skip is true are left out.
func (t *Tree) walk(path string, st disk.Stamp, skip func(name string, isLink bool) bool) (node, error) {
	n := node{path: path, kind: directory, stamp: st}
	entries, err := readNames(t.abs(path))
	if err != nil {
		return n, err
	}
	for _, name := range entries {
		child := name
		if path != "" {
			child = path + "/" + name
		}
		st, err := disk.Lstat(t.abs(child))
		if err != nil {
			return n, changed(err)
		}
		if path == "" && skip != nil && skip(name, kindOf(st) == link) {
			continue
		}
		var c node
		if kindOf(st) == directory {
			c, err = t.walk(child, st, skip)
		} else {
			c, err = t.leaf(child, st)
		}
		if err != nil {
			return n, err
		}
		n.children = append(n.children, c)
	}
	sortByName(n.children)
	return n, nil
}

// leaf makes the node of something that is not a directory.
func (t *Tree) leaf(path string, st disk.Stamp) (node, error) {
	n := node{path: path, kind: kindOf(st), stamp: st}
	if n.kind == special {
		return n, fmt.Errorf("%q is a fifo, a socket or a device, which no flake can contain", t.abs(path))
	}
	return n, nil
}

// abs is filepath.Join for paths that need no cleaning: it is called for every
// file.
func (t *Tree) abs(path string) string {
	if path == "" || t.Root == "/" {
		return filepath.Join(t.Root, path)
	}
	return t.Root + "/" + path
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// A ChangedError says that a file was written, replaced or removed while the
// tree was being read, so that no hash of it means anything.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%q changed while the tree was being read", e.Path)
}

// changed turns the error about something that was there a moment ago.
func changed(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) && errors.Is(err, fs.ErrNotExist) {
		return &ChangedError{e.Path}
	}
	return err
}
