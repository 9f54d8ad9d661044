package source

import (
	"io"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
)

// openRoot opens the tree's root directory. Names are looked up from there: a
// third of the time that it takes to find a file is the way to the root.
func (t *Tree) openRoot() (root int, err error) {
	root, err = disk.Retry(func() (int, error) {
		return unix.Open(t.Root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: t.Root, Err: err}
	}
	return root, nil
}

// open opens the file of n, below the open directory root. Whether it is still
// the one that was listed is asked once, with same, when it has been read.
func (t *Tree) open(root int, n *node) (fd int, err error) {
	fd, err = disk.OpenAt(root, n.path, 0)
	if err == unix.ELOOP {
		return -1, &ChangedError{t.abs(n.path)}
	}
	if err != nil {
		return -1, changed(&fs.PathError{Op: "open", Path: t.abs(n.path), Err: err})
	}
	return fd, nil
}

// same tells whether the open file is the one that was listed, unwritten since.
func (t *Tree) same(fd int, n *node) error {
	st, err := disk.Fstat(fd)
	if err != nil {
		return &fs.PathError{Op: "stat", Path: t.abs(n.path), Err: err}
	}
	if st != n.stamp {
		return &ChangedError{t.abs(n.path)}
	}
	return nil
}

// appendFile appends length bytes of the file of n, from offset on, to b.
func (t *Tree) appendFile(b []byte, root int, n *node, offset, length int64) ([]byte, error) {
	fd, err := t.open(root, n)
	if err != nil {
		return b, err
	}
	defer unix.Close(fd)
	b = slices.Grow(b, int(length)+64) // 64: what follows the contents fits too
	end := len(b) + int(length)
	for len(b) < end {
		count, err := disk.Retry(func() (int, error) { return unix.Pread(fd, b[len(b):end], offset) })
		if err != nil {
			if err := t.same(fd, n); err != nil {
				return b, err // it may be a directory by now
			}
			return b, &fs.PathError{Op: "read", Path: t.abs(n.path), Err: err}
		}
		if count == 0 {
			return b, &ChangedError{t.abs(n.path)}
		}
		b = b[:len(b)+count]
		offset += int64(count)
	}
	return b, t.same(fd, n)
}

// copyFile writes the whole file of n to w.
func (t *Tree) copyFile(w io.Writer, n *node) error {
	root, err := t.openRoot()
	if err != nil {
		return err
	}
	defer unix.Close(root)
	var b []byte
	for offset := int64(0); offset < n.stamp.Size; offset += pieceSize {
		if b, err = t.appendFile(b[:0], root, n, offset, min(pieceSize, n.stamp.Size-offset)); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// readLink reads the target of the symbolic link n.
func (t *Tree) readLink(n *node) (string, error) {
	path := t.abs(n.path)
	b := make([]byte, 4096+1) // PATH_MAX, and one more to notice
	count, err := disk.Retry(func() (int, error) { return unix.Readlink(path, b) })
	if err == unix.EINVAL {
		return "", &ChangedError{path}
	}
	if err != nil {
		return "", changed(&fs.PathError{Op: "readlink", Path: path, Err: err})
	}
	if st, err := disk.Lstat(path); err != nil || st != n.stamp {
		return "", &ChangedError{path}
	}
	return string(b[:count]), nil
}
