// Package disk is the file layer: everything else reads, writes, lists and
// removes files through it. It has two levels.
//
// Functions on descriptors (LstatAt, OpenAt, ReadAt, Names, Hash) are single
// system calls, or a loop around one, for the paths that are walked once for
// every file of a workspace. They take an open directory and a path below it,
// allocate nothing but their result, and return bare errnos. They continue after
// an interrupted call and never follow a symbolic link at the end of a path.
//
// A [Dir] reads, changes and removes what is in an untrusted directory, which a
// cache restored or a task made: every entry is reached by one name below an open
// directory (openat and its siblings), so whatever the directory contains, no
// operation leaves it. Its errors are *fs.PathErrors.
//
// Reads are bounded ([ReadLimited], [ReadFile], [Dir.ReadFile]), and so are
// listings, walks and removals ([MaxNames], [MaxEntries], [MaxDepth]). Writes are
// atomic ([Dir.WriteAtomic], [Replace]).
package disk

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// A Kind is the type of a file system entry.
type Kind uint8

// The kinds of entries.
const (
	Absent Kind = iota // of the zero Stamp: there is no entry
	File
	Directory
	Link
	Pipe
	Socket
	Device
	Other
)

var kindNames = [...]string{"nothing", "a file", "a directory", "a symbolic link", "a named pipe", "a socket", "a device", "of an unknown type"}

// String returns the name of k with its article: "a file".
func (k Kind) String() string { return kindNames[k] }

// A Stamp is the result of stat(2) that identifies the contents of an entry. If
// two stamps are equal, they are of the same entry, and it was not written in
// between, as far as the file system's clock can tell.
type Stamp struct {
	Dev, Ino     uint64
	Size         int64  // bytes
	Mode         uint32 // type and permissions, as in stat(2)
	Mtime, Ctime int64  // nanoseconds since 1970; no program can set Ctime
}

// An Info is a Stamp with the other results of stat(2).
type Info struct {
	Stamp
	Links uint64 // names that the file has
}

func newInfo(st *unix.Stat_t) Info {
	return Info{Links: uint64(st.Nlink), Stamp: Stamp{
		Dev: uint64(st.Dev), Ino: st.Ino, Size: st.Size, Mode: uint32(st.Mode),
		Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(),
	}}
}

// Kind returns the type of the entry; that of the zero Stamp is Absent.
func (s Stamp) Kind() Kind {
	switch s.Mode & unix.S_IFMT {
	case 0:
		return Absent
	case unix.S_IFREG:
		return File
	case unix.S_IFDIR:
		return Directory
	case unix.S_IFLNK:
		return Link
	case unix.S_IFIFO:
		return Pipe
	case unix.S_IFSOCK:
		return Socket
	case unix.S_IFCHR, unix.S_IFBLK:
		return Device
	}
	return Other
}

// Executable reports whether the owner may execute the file: the permission bit that
// Nix and git keep.
func (s Stamp) Executable() bool { return s.Mode&unix.S_IXUSR != 0 }

// SetID reports whether the file has a set-user-id or set-group-id bit.
func (s Stamp) SetID() bool { return s.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 }

// Lstat returns the stamp of path. The error is an *fs.PathError.
func Lstat(path string) (Stamp, error) {
	st, err := LstatAt(unix.AT_FDCWD, path)
	if err != nil {
		return Stamp{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return st, nil
}

// LstatAt returns the stamp of path below the open directory dir.
func LstatAt(dir int, path string) (Stamp, error) {
	info, err := lstatAt(dir, path)
	return info.Stamp, err
}

func lstatAt(dir int, path string) (Info, error) {
	st, err := Retry(func() (st unix.Stat_t, err error) {
		err = unix.Fstatat(dir, path, &st, unix.AT_SYMLINK_NOFOLLOW)
		return st, err
	})
	return newInfo(&st), err
}

// Fstat returns the stamp of the open file fd.
func Fstat(fd int) (Stamp, error) {
	info, err := fstat(fd)
	return info.Stamp, err
}

func fstat(fd int) (Info, error) {
	st, err := Retry(func() (st unix.Stat_t, err error) {
		err = unix.Fstat(fd, &st)
		return st, err
	})
	return newInfo(&st), err
}

// OpenAt opens path below the open directory dir for reading. A symbolic link is
// not followed (ELOOP), and a named pipe without a writer does not block.
func OpenAt(dir int, path string, flags int) (fd int, err error) {
	return Retry(func() (int, error) { return unix.Openat(dir, path, flags|openAny, 0) })
}

const openAny = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

// ReadlinkAt reads the target of the symbolic link path below the open directory
// dir into buf, and returns its length. A longer target is truncated.
func ReadlinkAt(dir int, path string, buf []byte) (int, error) {
	return Retry(func() (int, error) { return unix.Readlinkat(dir, path, buf) })
}

// Retry calls f until it is not interrupted by a signal.
func Retry[T any](f func() (T, error)) (T, error) {
	for {
		if v, err := f(); err != unix.EINTR {
			return v, err
		}
	}
}
