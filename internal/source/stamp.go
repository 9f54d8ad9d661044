package source

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// A stamp is what lstat says of a file. Two equal stamps mean: the same file,
// not written in between, as far as the file system's clock can tell.
type stamp struct {
	device, inode  uint64
	size           int64 // bytes
	mode           uint32
	mtime, ctime   int64 // seconds
	mtimeN, ctimeN int64 // nanoseconds
}

func newStamp(st *unix.Stat_t) stamp {
	return stamp{
		device: uint64(st.Dev), inode: st.Ino, size: st.Size, mode: uint32(st.Mode),
		mtime: int64(st.Mtim.Sec), mtimeN: int64(st.Mtim.Nsec),
		ctime: int64(st.Ctim.Sec), ctimeN: int64(st.Ctim.Nsec),
	}
}

// lstat stamps what is at path, following no link there.
func lstat(path string) (stamp, error) {
	st, err := lstatAt(unix.AT_FDCWD, path)
	if err != nil {
		return stamp{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return st, nil
}

// lstatAt is lstat from the open directory dir on. Its error does not name path.
func lstatAt(dir int, path string) (stamp, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(dir, path, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return newStamp(&st), err
}

func fstat(fd int) (stamp, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(fd, &st) })
	return newStamp(&st), err
}

// retry calls f again for as long as a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func (s stamp) kind() kind {
	switch s.mode & unix.S_IFMT {
	case unix.S_IFREG:
		return regular
	case unix.S_IFLNK:
		return link
	case unix.S_IFDIR:
		return directory
	}
	return special
}

// executable is Nix's rule: the owner's bit, on disk.
func (s stamp) executable() bool { return s.mode&unix.S_IXUSR != 0 }
