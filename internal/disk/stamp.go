// Package disk is the file layer below everything else: stamps of files, open
// directories, bounded reads and atomic writes. It never follows a symbolic link
// at the end of a path, and continues after every interrupted system call.
//
// A [Dir] reads and removes untrusted directories, which a cache restored: every
// entry is reached by one name below an open directory (openat and its
// siblings), so whatever a directory contains, no operation leaves it.
package disk

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// A Stamp is what the file system says of a file, a link or a directory. Two
// equal stamps mean: the same one, not written in between, as far as the file
// system's clock can tell. The zero Stamp is that of nothing.
type Stamp struct {
	Dev, Ino     uint64
	Size         int64  // bytes
	Mode         uint32 // type and permissions, as stat(2) has them
	Mtime, Ctime int64  // nanoseconds since 1970; nobody can set Ctime
}

func newStamp(st *unix.Stat_t) Stamp {
	return Stamp{
		Dev: uint64(st.Dev), Ino: st.Ino, Size: st.Size, Mode: uint32(st.Mode),
		Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(),
	}
}

// Type is one of unix.S_IFREG, S_IFLNK, S_IFDIR and their like.
func (s Stamp) Type() uint32 { return s.Mode & unix.S_IFMT }

// Executable is Nix's rule, and ours: the owner's bit.
func (s Stamp) Executable() bool { return s.Mode&unix.S_IXUSR != 0 }

// Lstat stamps what is at path. The error is an *fs.PathError.
func Lstat(path string) (Stamp, error) {
	st, err := LstatAt(unix.AT_FDCWD, path)
	if err != nil {
		return Stamp{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return st, nil
}

// LstatAt is Lstat from the open directory dir on. Its error is a bare errno.
func LstatAt(dir int, path string) (Stamp, error) {
	st, err := Retry(func() (st unix.Stat_t, err error) {
		err = unix.Fstatat(dir, path, &st, unix.AT_SYMLINK_NOFOLLOW)
		return st, err
	})
	return newStamp(&st), err
}

// Fstat stamps an open file. Its error is a bare errno.
func Fstat(fd int) (Stamp, error) {
	st, err := Retry(func() (st unix.Stat_t, err error) {
		err = unix.Fstat(fd, &st)
		return st, err
	})
	return newStamp(&st), err
}

// OpenAt opens path, from the open directory dir on, for reading: not if it is a
// symbolic link (ELOOP), and without waiting for whoever has a pipe's other end.
// Its error is a bare errno.
func OpenAt(dir int, path string, flags int) (fd int, err error) {
	return Retry(func() (int, error) {
		return unix.Openat(dir, path, flags|unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
}

// Retry calls f again for as long as a signal interrupts it.
func Retry[T any](f func() (T, error)) (T, error) {
	for {
		if v, err := f(); err != unix.EINTR {
			return v, err
		}
	}
}
