package disk

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Removed counts what was removed.
type Removed struct {
	Entries int64 // files, directories and everything else
	Bytes   int64 // of files that had no other name
}

// Add adds o to r.
func (r *Removed) Add(o Removed) {
	r.Entries += o.Entries
	r.Bytes += o.Bytes
}

func (r *Removed) count(info Info) {
	r.Entries++
	if info.Kind() == File && info.Links == 1 {
		r.Bytes += info.Size
	}
}

// Remove removes name in d and everything below it. It does not follow links, and
// changes the permissions of directories where it has to. It is not an error if name
// does not exist.
//
// A directory on which a file system is mounted is emptied but not removed, and so
// are the directories above it. If a directory is beyond the bounds, the error wraps
// a *BoundsError, and the directory keeps its contents.
func (d *Dir) Remove(name string) (Removed, error) {
	r := &removal{left: maxEntries}
	err := r.entry(d, name, 0)
	return r.Removed, err
}

// RemoveUnbounded is Remove without bounds. It takes a file descriptor for each
// level.
func (d *Dir) RemoveUnbounded(name string) (Removed, error) {
	r := &removal{unbounded: true}
	err := r.entry(d, name, 0)
	return r.Removed, err
}

// Measure returns what Remove would remove. It leaves out what it can't read and
// what is beyond the bounds.
func (d *Dir) Measure(name string) (all Removed, err error) {
	err = d.Walk(name, func(e Entry) (bool, error) {
		if info, err := e.Dir.Lstat(e.Name); err == nil {
			all.count(info)
		}
		return e.Kind == Directory, nil
	}, func(Entry, error) error { return nil })
	return all, err
}

type removal struct {
	Removed
	left      int // names until MaxEntries
	unbounded bool
	mounts    bool // a directory stays because something is mounted there
}

func (r *removal) entry(d *Dir, name string, depth int) error {
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	flags := 0
	if info.Kind() == Directory {
		flags = unix.AT_REMOVEDIR
		if err := r.contents(d, name, info, depth); err != nil {
			return err
		}
	}
	err = unix.Unlinkat(d.fd, name, flags)
	if err == unix.EACCES && unix.Fchmod(d.fd, 0o700) == nil { // d itself is read-only
		err = unix.Unlinkat(d.fd, name, flags)
	}
	if flags != 0 && (err == unix.EBUSY || r.mounts && (err == unix.ENOTEMPTY || err == unix.EEXIST)) {
		r.mounts = true
		return nil
	}
	if err != nil {
		return d.error("remove", name, err)
	}
	r.count(info)
	return nil
}

func (r *removal) contents(d *Dir, name string, info Info, depth int) error {
	if depth == MaxDepth && !r.unbounded {
		return d.error("remove", name, errDepth)
	}
	if err := d.unlock(name, info); err != nil {
		return err
	}
	sub, err := d.OpenDir(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	for more := true; more; {
		items, err := sub.list()
		more = errors.Is(err, errNames) && r.unbounded
		if r.left -= len(items); err == nil && r.left < 0 && !r.unbounded {
			err = sub.error("list", ".", errEntries)
		}
		if err != nil && !more {
			return err
		}
		for _, it := range items {
			if err := r.entry(sub, it.Name, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// Unlock adds all permissions of the owner to the directory name in d.
func (d *Dir) Unlock(name string) error {
	info, err := d.Lstat(name)
	if err != nil || info.Kind() != Directory {
		return err
	}
	return d.unlock(name, info)
}

func (d *Dir) unlock(name string, info Info) error {
	if info.Mode&0o700 == 0o700 {
		return nil
	}
	return d.change("chmod", name, func() error { return unix.Fchmodat(d.fd, name, 0o700, 0) })
}

// Protect removes the write permissions of group and others from the file or directory
// name in d, if this process may.
func (d *Dir) Protect(name string) {
	info, err := d.Lstat(name)
	if err != nil || info.Kind() != Directory && info.Kind() != File || info.Mode&groupOrOthersWrite == 0 {
		return
	}
	if fd, info, err := d.Open(name); err == nil { // a link would be followed by its name
		ProtectFD(fd, info)
		unix.Close(fd)
	}
}

// ProtectFD does the same for the open file or directory fd, which has this info. A
// file with other hard links keeps its permissions, because it may not be ours.
func ProtectFD(fd int, info Info) {
	if info.Mode&groupOrOthersWrite != 0 && (info.Kind() == Directory || info.Links == 1) {
		_ = unix.Fchmod(fd, info.Mode&0o7777&^groupOrOthersWrite)
	}
}

const groupOrOthersWrite = 0o022

// OpenOwn is like OpenDir, but first adds all permissions of the owner to the
// directory, if this process may.
func (d *Dir) OpenOwn(name string) (*Dir, error) {
	_ = d.Unlock(name) // if it fails, the directory may still be readable
	return d.OpenDir(name)
}

// Expel moves the directory name in d to the name as in to. Unlike Move, it adds the
// permissions that this requires, and does not replace anything.
func (d *Dir) Expel(name string, to *Dir, as string) error {
	if _, err := to.Lstat(as); !errors.Is(err, fs.ErrNotExist) {
		return to.error("move to", as, fs.ErrExist)
	}
	_ = d.Unlock(name) // the ".." of a directory changes
	err := d.Move(name, to, as)
	if errors.Is(err, fs.ErrPermission) && unix.Fchmod(d.fd, 0o700) == nil {
		err = d.Move(name, to, as)
	}
	return err
}
