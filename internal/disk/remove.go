package disk

import (
	"errors"
	"fmt"
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
	if info.Kind == File && info.Links == 1 {
		r.Bytes += info.Size
	}
}

// Remove removes name in d, which is one component, and everything below it.
// Links are removed, not followed. A tree of any depth is taken apart with a
// handful of descriptors: what lies deep is first moved up. What is not there
// is no error.
func (d *Dir) Remove(name string) (Removed, error) {
	var gone Removed
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return gone, nil
	}
	if err != nil {
		return gone, err
	}
	if info.Kind != Directory {
		if err := d.unlink(name, 0); err != nil {
			return gone, err
		}
		gone.count(info)
		return gone, nil
	}
	if d.unlink(name, unix.AT_REMOVEDIR) == nil {
		gone.count(info)
		return gone, nil
	}
	top, err := d.openOwn(name, info)
	if err != nil {
		return gone, err
	}
	defer top.Close()
	if err := top.clear(&gone); err != nil {
		return gone, err
	}
	if err := d.unlink(name, unix.AT_REMOVEDIR); err != nil {
		return gone, err
	}
	gone.count(info)
	return gone, nil
}

func (d *Dir) clear(gone *Removed) error {
	moved := 0
	// Removing while listing may make the system skip entries: list until
	// there is nothing left.
	for left := true; left; {
		left = false
		err := d.each(func(it Item) error {
			left = true
			return d.dismantle(it.Name, gone, func(from *Dir, name string) error {
				for {
					moved++
					fresh := fmt.Sprintf(".cachekey-removing-%d", moved)
					if _, err := d.Lstat(fresh); errors.Is(err, fs.ErrNotExist) {
						return unix.Renameat(from.fd, name, d.fd, fresh)
					} else if err != nil {
						return err
					}
				}
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dismantle removes name in d; of a directory what is not empty below it is moved up first.
func (d *Dir) dismantle(name string, gone *Removed, up func(*Dir, string) error) error {
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // listed twice
	}
	if err != nil {
		return err
	}
	if info.Kind != Directory {
		if err := d.unlink(name, 0); err != nil {
			return err
		}
		gone.count(info)
		return nil
	}
	if d.unlink(name, unix.AT_REMOVEDIR) == nil {
		gone.count(info)
		return nil
	}
	sub, err := d.openOwn(name, info)
	if err != nil {
		return err
	}
	defer sub.Close()
	for left := true; left; {
		left = false
		err := sub.each(func(it Item) error {
			left = true
			info, err := sub.Lstat(it.Name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if info.Kind != Directory {
				if err := sub.unlink(it.Name, 0); err != nil {
					return err
				}
				gone.count(info)
				return nil
			}
			if sub.unlink(it.Name, unix.AT_REMOVEDIR) == nil {
				gone.count(info)
				return nil
			}
			// A directory that moves must be writable itself: its ".." changes.
			if err := sub.allow(it.Name, info); err != nil {
				return err
			}
			if err := up(sub, it.Name); err != nil {
				return sub.wrong("move", it.Name, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := d.unlink(name, unix.AT_REMOVEDIR); err != nil {
		return err
	}
	gone.count(info)
	return nil
}

// openOwn opens a directory that is to be removed, even one whose mode forbids it.
func (d *Dir) openOwn(name string, info Info) (*Dir, error) {
	if err := d.allow(name, info); err != nil {
		return nil, err
	}
	return d.OpenDir(name)
}

func (d *Dir) allow(name string, info Info) error {
	if info.mode&0o700 == 0o700 {
		return nil
	}
	if err := unix.Fchmodat(d.fd, name, 0o700, 0); err != nil {
		return d.wrong("chmod", name, err)
	}
	return nil
}

func (d *Dir) unlink(name string, flags int) error {
	err := unix.Unlinkat(d.fd, name, flags)
	if err == unix.EACCES { // d itself may be read-only
		if unix.Fchmod(d.fd, 0o700) == nil {
			err = unix.Unlinkat(d.fd, name, flags)
		}
	}
	if err != nil {
		return d.wrong("remove", name, err)
	}
	return nil
}
