package disk

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// A Kind is what an entry of a directory is.
type Kind uint8

// The kinds.
const (
	Other Kind = iota
	File
	Directory
	Link
	Pipe
	Socket
	Device
)

// String gives k with its article, for a sentence.
func (k Kind) String() string {
	switch k {
	case File:
		return "a file"
	case Directory:
		return "a directory"
	case Link:
		return "a symbolic link"
	case Pipe:
		return "a named pipe"
	case Socket:
		return "a socket"
	case Device:
		return "a device"
	default:
		return "of an unknown type"
	}
}

// Info is what the system says of an entry.
type Info struct {
	Kind  Kind
	Size  int64  // bytes; of a file
	Links uint64 // names that the file has
	SetID bool   // whether it has a set-user-id or set-group-id bit
	Time  int64  // last modification, nanoseconds since 1970
	mode  uint32
}

func newInfo(st *unix.Stat_t) Info {
	mode := uint32(st.Mode)
	return Info{
		Kind:  kindOfMode(mode),
		Size:  st.Size,
		Links: uint64(st.Nlink),
		SetID: mode&(unix.S_ISUID|unix.S_ISGID) != 0,
		Time:  st.Mtim.Nano(),
		mode:  mode,
	}
}

func kindOfMode(mode uint32) Kind {
	switch mode & unix.S_IFMT {
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
	default:
		return Other
	}
}

func kindOf(t fs.FileMode) Kind {
	switch {
	case t.IsRegular():
		return File
	case t.IsDir():
		return Directory
	case t&fs.ModeSymlink != 0:
		return Link
	case t&fs.ModeNamedPipe != 0:
		return Pipe
	case t&fs.ModeSocket != 0:
		return Socket
	case t&fs.ModeDevice != 0:
		return Device
	default:
		return Other
	}
}
