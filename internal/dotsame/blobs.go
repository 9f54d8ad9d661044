package dotsame

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/zeebo/blake3"

	"cachekey/internal/digest"
)

// ErrBadBlob says that a blob is not what its name says.
var ErrBadBlob = errors.New("blob does not match its digest")

// HasBlob says whether a blob of this digest and size is there. Whether it has
// this content only reading it can tell.
func (d *Dir) HasBlob(want digest.Digest, size int64) bool {
	st, err := os.Lstat(d.Path(BlobPath(want)))
	return err == nil && st.Mode().IsRegular() && st.Size() == size
}

// PutBlob keeps the content of f, which has this digest, unless it is there
// already. What was read while somebody wrote to f is an error and is not kept.
func (d *Dir) PutBlob(f *os.File, want digest.Digest, size int64) error {
	if d.HasBlob(want, size) {
		return nil
	}
	return d.Create(BlobPath(want), 0o444, func(to *os.File) error {
		return copyVerified(to, f, want)
	})
}

// GetBlob puts the content of a blob into the empty file to. On ErrBadBlob the
// blob is removed, since it would only fail again.
func (d *Dir) GetBlob(to *os.File, want digest.Digest) error {
	name := BlobPath(want)
	f, err := os.OpenFile(d.Path(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return err
	} else if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.Name())
	}
	if err := copyVerified(to, f, want); errors.Is(err, ErrBadBlob) {
		return errors.Join(fmt.Errorf("%s: %w", f.Name(), err), d.Remove(name))
	} else if err != nil {
		return fmt.Errorf("restoring from %s: %w", f.Name(), err)
	}
	return nil
}

// CheckBlob says whether GetBlob would succeed, and changes nothing.
func (d *Dir) CheckBlob(want digest.Digest, size int64) bool {
	if !d.HasBlob(want, size) {
		return false
	}
	f, err := os.OpenFile(d.Path(BlobPath(want)), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return copyHashed(io.Discard, f, want) == nil
}

// shareBlocks is reflink; a test has another, for file systems that have none.
var shareBlocks = reflink

// copyVerified fills the empty file to with what f holds: by sharing its blocks
// where the file system can (a later write to either copies them first), else
// byte by byte. Never by a hard link, which the next task could write through.
func copyVerified(to, f *os.File, want digest.Digest) error {
	if shareBlocks(to, f) == nil {
		// to has its own content now; what is hashed is what stays.
		return copyHashed(io.Discard, to, want)
	}
	return copyHashed(to, f, want)
}

const copySize = 128 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

func copyHashed(to io.Writer, f *os.File, want digest.Digest) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := blake3.New()
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(h, to)}, struct{ io.Reader }{f}, buf[:]); err != nil {
		return err
	}
	var got digest.Digest
	if h.Sum(got[:0]); got != want {
		return ErrBadBlob
	}
	return nil
}
