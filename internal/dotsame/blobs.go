package dotsame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// ErrBadBlob reports that the contents of a blob do not have the digest of its name.
var ErrBadBlob = errors.New("blob does not match its digest")

// HasBlob reports whether there is a blob of this digest and size. It does not
// read it.
func (d *Dir) HasBlob(want digest.Digest, size int64) bool {
	st, err := disk.Lstat(d.Path(BlobPath(want)))
	return err == nil && st.Kind() == disk.File && st.Size == size
}

// PutBlob stores the contents of f, which have this digest and size, unless the
// blob exists. If f was written meanwhile, the error is ErrBadBlob.
func (d *Dir) PutBlob(f *os.File, want digest.Digest, size int64) error {
	if d.HasBlob(want, size) {
		return nil
	}
	return d.Create(BlobPath(want), 0o444, func(to *os.File) error {
		return copyVerified(to, f, want, size)
	})
}

// GetBlob writes the contents of a blob to the empty file to. A blob that does
// not match its digest is removed, and the error is ErrBadBlob.
func (d *Dir) GetBlob(to *os.File, want digest.Digest) error {
	name := BlobPath(want)
	f, st, err := disk.OpenFile(d.Path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := copyVerified(to, f, want, st.Size); errors.Is(err, ErrBadBlob) {
		return errors.Join(fmt.Errorf("%s: %w", f.Name(), err), d.Remove(name))
	} else if err != nil {
		return fmt.Errorf("restoring from %s: %w", f.Name(), err)
	}
	return nil
}

// CheckBlob reports whether GetBlob would succeed. It changes nothing.
func (d *Dir) CheckBlob(want digest.Digest, size int64) bool {
	f, st, err := disk.OpenFile(d.Path(BlobPath(want)))
	if err != nil {
		return false
	}
	defer f.Close()
	return st.Size == size && verify(nil, f, want, size) == nil
}

// shareBlocks is reflink; a test replaces it for file systems that have none.
var shareBlocks = reflink

// copyVerified writes the contents of f to the empty file to: it shares the blocks
// if the file system can, and copies the bytes otherwise. It never makes a hard
// link, through which the next task could write.
func copyVerified(to, f *os.File, want digest.Digest, size int64) error {
	if shareBlocks(to, f) == nil {
		return verify(nil, to, want, size) // f may be written from now on
	}
	return verify(to, f, want, size)
}

// verify reads f from its start and writes it to to, unless that is nil.
func verify(to io.Writer, f *os.File, want digest.Digest, size int64) error {
	got, _, err := disk.Hash(context.Background(), int(f.Fd()), size, to)
	if err == nil && got != want {
		err = ErrBadBlob
	}
	return err
}
