package disk

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
)

// A TooLargeError reports that a file or stream is larger than the reader accepts.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string { return fmt.Sprintf("larger than %d bytes", e.Limit) }

// A NotFileError reports that a path is not a regular file.
type NotFileError struct{ Kind Kind }

func (e *NotFileError) Error() string { return "not a regular file: it is " + e.Kind.String() }

// ReadLimited reads r to its end. If that is more than limit bytes, the error is
// a *TooLargeError.
func ReadLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &TooLargeError{limit}
	}
	return data, nil
}

// A LimitedWriter keeps what is written to it until that exceeds a limit.
type LimitedWriter struct {
	Data []byte
	Left int // bytes until the limit; negative if something was dropped
}

// Write never fails.
func (w *LimitedWriter) Write(p []byte) (int, error) {
	if w.Left -= len(p); w.Left >= 0 {
		w.Data = append(w.Data, p...)
	}
	return len(p), nil
}

// ReadFile reads the regular file path, which is not a symbolic link and has at most
// limit bytes. Otherwise the error wraps a *NotFileError, a *TooLargeError or ELOOP.
// It does not block, even if path is a named pipe.
func ReadFile(path string, limit int64) ([]byte, error) {
	fd, err := OpenAt(unix.AT_FDCWD, path, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return readAndClose(fd, path, limit)
}

// ReadTarget is ReadFile for a path that may be a symbolic link to a file.
func ReadTarget(path string, limit int64) ([]byte, error) {
	fd, err := Retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return readAndClose(fd, path, limit)
}

// ReadFile reads the regular file name in d, which has at most limit bytes.
func (d *Dir) ReadFile(name string, limit int64) ([]byte, error) {
	fd, err := d.openAt(name, openAny, 0)
	if err != nil {
		return nil, err
	}
	return readAndClose(fd, d.path+"/"+name, limit)
}

// OpenFile opens the regular file path, which is not a symbolic link, and returns
// its stamp. The caller must close it.
func OpenFile(path string) (*os.File, Stamp, error) {
	fd, err := OpenAt(unix.AT_FDCWD, path, 0)
	if err != nil {
		return nil, Stamp{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f, info, err := regular(fd, path)
	return f, info.Stamp, err
}

// regular returns the open file fd if it is a regular file. Otherwise it closes it.
func regular(fd int, path string) (*os.File, Info, error) {
	info, err := fstat(fd)
	if err == nil && info.Kind() != File {
		err = &NotFileError{info.Kind()}
	}
	if err != nil {
		unix.Close(fd)
		return nil, info, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), info, nil
}

func readAndClose(fd int, path string, limit int64) ([]byte, error) {
	defer unix.Close(fd)
	st, err := Fstat(fd)
	switch {
	case err != nil:
	case st.Kind() != File:
		err = &NotFileError{st.Kind()}
	case st.Size > limit:
		err = &TooLargeError{limit}
	default:
		data := make([]byte, st.Size)
		n := 0
		if n, err = ReadAt(fd, data, 0); err == nil && n == len(data) {
			return data, nil
		} else if err == nil {
			err = io.ErrUnexpectedEOF // the file was truncated meanwhile
		}
	}
	return nil, &fs.PathError{Op: "read", Path: path, Err: err}
}

// ReadAt reads the open file fd from offset on until buf is full or the file
// ends, and returns how many bytes it read.
func ReadAt(fd int, buf []byte, offset int64) (n int, err error) {
	for n < len(buf) {
		m, err := Retry(func() (int, error) { return unix.Pread(fd, buf[n:], offset+int64(n)) })
		if m <= 0 {
			return n, err
		}
		n += m
	}
	return n, nil
}

// hashBuffer is the size of one read: most files fit.
const hashBuffer = 256 << 10

var (
	hashBuffers = sync.Pool{New: func() any { return new([hashBuffer]byte) }}
	hashers     = sync.Pool{New: func() any { return blake3.New() }}
)

// Hash reads the open file fd from its start. It returns the digest and the number
// of the bytes that it read, and also writes them to to, unless that is nil. A file
// that fits into a buffer takes one call of pread.
//
// The caller has size from fstat. Hash stops there, even if the file has grown.
// A file of size 0 is read to its end: /proc and some network file systems report
// 0 for files that have contents. Hash may be called concurrently.
func Hash(ctx context.Context, fd int, size int64, to io.Writer) (sum digest.Digest, n int64, err error) {
	buf := hashBuffers.Get().(*[hashBuffer]byte)
	defer hashBuffers.Put(buf)
	var h *blake3.Hasher
	for {
		part := buf[:]
		if size > 0 {
			part = buf[:min(int64(len(buf)), size-n)]
		}
		m, err := ReadAt(fd, part, n)
		n += int64(m)
		if err == nil && to != nil {
			_, err = to.Write(part[:m])
		}
		if err != nil {
			return sum, n, err
		}
		last := m < len(part) || n == size
		if last && h == nil {
			return digest.Of(part[:m]), n, nil
		}
		if h == nil {
			h = hashers.Get().(*blake3.Hasher)
			defer hashers.Put(h)
			h.Reset()
		}
		_, _ = h.Write(part[:m]) // a hasher never fails
		if last {
			h.Sum(sum[:0])
			return sum, n, nil
		}
		if err := ctx.Err(); err != nil {
			return sum, n, err
		}
	}
}

// Open opens name in d for reading, whatever its kind, and returns its Info. The
// caller must close the descriptor.
func (d *Dir) Open(name string) (fd int, info Info, err error) {
	if fd, err = d.openAt(name, openAny, 0); err != nil {
		return -1, Info{}, err
	}
	if info, err = fstat(fd); err != nil {
		unix.Close(fd)
		return -1, Info{}, d.error("stat", name, err)
	}
	return fd, info, nil
}

// OpenFile opens the regular file name in d.
func (d *Dir) OpenFile(name string) (*os.File, error) {
	fd, err := d.openAt(name, openAny, 0)
	if err != nil {
		return nil, err
	}
	f, _, err := regular(fd, d.path+"/"+name)
	return f, err
}

// Lstat returns the Info of name in d, without following or opening it.
func (d *Dir) Lstat(name string) (Info, error) {
	var info Info
	err := d.change("lstat", name, func() (err error) {
		info, err = lstatAt(d.fd, name)
		return err
	})
	return info, err
}
