package dotsame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// ErrBadBlob reports that the contents of a blob do not have the digest of its name.
var ErrBadBlob = errors.New("blob does not match its digest")

// HasBlob reports whether there is a blob of this digest and size. It does not
// read it: see ProveBlob.
func (d *Dir) HasBlob(want digest.Digest, size int64) bool {
	st, err := disk.Lstat(d.Path(BlobPath(want)))
	return err == nil && st.Kind() == disk.File && st.Size == size
}

// BlobModes returns the permissions for the blobs of outputs: whoever may read an
// output, through the directories above it, may read its blob. If several outputs
// have the same contents, the most restrictive permissions apply.
func BlobModes(outputs []Output) map[digest.Digest]fs.FileMode {
	modes := map[digest.Digest]fs.FileMode{}
	below := map[string]fs.FileMode{} // directory → who may reach what is in it
	for _, o := range outputs {       // a directory comes before its contents
		reach, ok := below[path.Dir(o.Path)]
		if !ok {
			reach = 0o444
		}
		switch o.Type {
		case TypeDir:
			below[o.Path] = reach & (o.Mode.Perm() << 2) // x allows what r does for a file
		case TypeFile:
			mode, ok := modes[o.Digest]
			if !ok {
				mode = 0o444
			}
			modes[o.Digest] = mode&reach&o.Mode.Perm() | 0o400
		}
	}
	return modes
}

// ProveBlob reports whether there is a blob of this digest and size. It reads the blob
// unless that is proven, and remembers the result.
func (d *Dir) ProveBlob(want digest.Digest, size int64) bool {
	_, ok := d.prove(want, size)
	return ok
}

// prove is ProveBlob, and returns the blob's stamp.
func (d *Dir) prove(want digest.Digest, size int64) (disk.Stamp, bool) {
	name := d.Path(BlobPath(want))
	st, err := disk.Lstat(name)
	if err != nil || st.Kind() != disk.File || st.Size != size {
		return st, false
	}
	if d.Proofs().Has(want, st) {
		return st, true
	}
	f, st, err := disk.OpenFile(name)
	if err != nil {
		return st, false
	}
	defer f.Close()
	if st.Size != size || verify(nil, f, want, size) != nil {
		return st, false
	}
	d.Proofs().Add(want, st)
	return st, true
}

// KeepBlob reports whether there is a proven blob of this digest and size; it reads one
// that is not proven yet. If so, it removes the permissions of the blob that mode does
// not have.
func (d *Dir) KeepBlob(want digest.Digest, size int64, mode fs.FileMode) (bool, error) {
	st, ok := d.prove(want, size)
	if !ok {
		return false, nil
	}
	if fs.FileMode(st.Mode).Perm()&^mode == 0 {
		return true, nil
	}
	f, st, err := disk.OpenFile(d.Path(BlobPath(want)))
	if err != nil {
		return true, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Sys().(*syscall.Stat_t).Nlink > 1 {
		return true, err // it may be somebody else's file
	}
	if err := f.Chmod(fs.FileMode(st.Mode).Perm() & mode); err != nil && !errors.Is(err, fs.ErrPermission) {
		return true, err
	}
	if now, err := disk.Fstat(int(f.Fd())); err == nil && d.Proofs().Has(want, st) {
		d.Proofs().Add(want, now)
	}
	return true, nil
}

// PutBlob stores the contents of f, which have this digest and size, with the
// permissions mode. If a proven blob exists, PutBlob only removes the permissions that
// mode does not have; any other is replaced. If f was written meanwhile, the error is
// ErrBadBlob.
func (d *Dir) PutBlob(f *os.File, want digest.Digest, size int64, mode fs.FileMode) error {
	if is, err := d.KeepBlob(want, size, mode); is || err != nil {
		return err
	}
	var written disk.Stamp
	err := d.Create(BlobPath(want), mode, func(to *os.File) error {
		err := copyVerified(to, f, want, size)
		if err == nil {
			written, err = disk.Fstat(int(to.Fd()))
		}
		return err
	})
	if err != nil {
		return err
	}
	st, err := disk.Lstat(d.Path(BlobPath(want))) // to rename a file changes its ctime
	if err == nil && st.Ino == written.Ino && st.Size == written.Size && st.Mtime == written.Mtime {
		d.Proofs().written(want, st)
	}
	return nil
}

// GetBlob writes the contents of a blob to the empty file to. It hashes them unless the
// blob is proven. A blob that does not match its digest, or has another size, is removed,
// and the error is ErrBadBlob.
func (d *Dir) GetBlob(to *os.File, want digest.Digest, size int64) error {
	name := BlobPath(want)
	f, st, err := disk.OpenFile(d.Path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	if d.Proofs().Has(want, st) {
		if is, err := copyUnchanged(to, f, st); is || err != nil {
			return err
		}
	}
	if err = ErrBadBlob; st.Size == size {
		err = copyVerified(to, f, want, size)
	}
	switch {
	case err == nil:
		d.Proofs().Add(want, st)
		return nil
	case errors.Is(err, ErrBadBlob):
		return errors.Join(fmt.Errorf("%s: %w", f.Name(), err), d.Remove(name))
	}
	return fmt.Errorf("restoring from %s: %w", f.Name(), err)
}

// copyUnchanged writes the contents of f, which had this stamp, to the empty file to. If
// the stamp has changed by then, it empties to and returns false.
func copyUnchanged(to, f *os.File, st disk.Stamp) (bool, error) {
	if shareBlocks(to, f) != nil {
		n := int64(0)
		err := writeCopy(to, f, func(w io.Writer) (err error) {
			n, err = io.Copy(w, io.LimitReader(f, st.Size)) // within the kernel where it can
			return err
		})
		if err != nil {
			return false, err
		}
		if n != st.Size {
			return false, restart(to)
		}
	}
	if now, err := disk.Fstat(int(f.Fd())); err != nil || now != st {
		return false, errors.Join(err, restart(to))
	}
	return true, nil
}

// restart empties a file that is being written.
func restart(to *os.File) error {
	_, err := to.Seek(0, io.SeekStart)
	return errors.Join(err, to.Truncate(0))
}

// CopyLog writes a log to to. It reads the whole blob before it writes the first byte: if
// it does not match its digest, the error is ErrBadBlob and nothing is written.
func (d *Dir) CopyLog(to io.Writer, log *Log) error {
	if log.Digest.IsZero() {
		_, err := to.Write(log.Text)
		return err
	}
	f, st, err := disk.OpenFile(d.Path(BlobPath(log.Digest)))
	if err != nil {
		return err
	}
	defer f.Close()
	if st.Size != log.Size {
		err = ErrBadBlob
	} else {
		err = verify(nil, f, log.Digest, st.Size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	_, err = io.Copy(to, io.NewSectionReader(f, 0, st.Size))
	return err
}

// Tests replace these: shareBlocks for file systems that have no reflinks.
var (
	shareBlocks = reflink
	hashFile    = disk.Hash
)

// copyVerified writes the contents of f to the empty file to. It shares the blocks if
// the file system can, and copies the bytes otherwise. It never makes a hard link,
// through which the next task could write.
func copyVerified(to, f *os.File, want digest.Digest, size int64) error {
	if shareBlocks(to, f) == nil {
		return verify(nil, to, want, size) // f may be written from now on
	}
	return writeCopy(to, f, func(w io.Writer) error { return verify(w, f, want, size) })
}

// verify reads f from its start and writes it to to, unless that is nil.
func verify(to io.Writer, f *os.File, want digest.Digest, size int64) error {
	got, _, err := hashFile(context.Background(), int(f.Fd()), size, to)
	if err == nil && got != want {
		err = ErrBadBlob
	}
	return err
}
