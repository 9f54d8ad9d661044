package disk

import (
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Reach opens the directory at path below d: slash-separated, "." for d itself.
// Every name on the way is opened in the one before, so a link among them is an
// error, whenever it came to be there.
func (d *Dir) Reach(path string) (*Dir, error) { return d.reach(path, (*Dir).OpenDir) }

// ReachMaking is Reach, and makes the directories that are not there.
func (d *Dir) ReachMaking(path string) (*Dir, error) { return d.reach(path, (*Dir).openOrMake) }

func (d *Dir) reach(path string, step func(*Dir, string) (*Dir, error)) (*Dir, error) {
	at := d.Hold()
	if path == "." {
		return at, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		next, err := step(at, name)
		at.Close()
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// Move gives name in d the name as in to, whatever had it but a directory.
// On another file system it is EXDEV.
func (d *Dir) Move(name string, to *Dir, as string) error {
	for _, n := range []string{name, as} {
		if err := component(n); err != nil {
			return err
		}
	}
	if err := unix.Renameat(d.fd, name, to.fd, as); err != nil {
		return d.wrong("move", name, err)
	}
	return nil
}

// Take is Move for a file that the caller has made, by its path.
func (d *Dir) Take(path, as string) error {
	if err := component(as); err != nil {
		return err
	}
	if err := unix.Renameat(unix.AT_FDCWD, path, d.fd, as); err != nil {
		return d.wrong("move to", as, err)
	}
	return nil
}

// RemoveFile removes name in d, which is no directory.
func (d *Dir) RemoveFile(name string) error { return d.removeOne(name, 0) }

// RemoveEmpty removes the directory name in d, which has nothing in it.
func (d *Dir) RemoveEmpty(name string) error { return d.removeOne(name, unix.AT_REMOVEDIR) }

func (d *Dir) removeOne(name string, flags int) error {
	if err := component(name); err != nil {
		return err
	}
	if err := unix.Unlinkat(d.fd, name, flags); err != nil {
		return d.wrong("remove", name, err)
	}
	return nil
}

// Mkdir makes the directory name in d, with these permissions less the umask's.
func (d *Dir) Mkdir(name string, perm fs.FileMode) error {
	if err := component(name); err != nil {
		return err
	}
	if err := unix.Mkdirat(d.fd, name, uint32(perm.Perm())); err != nil {
		return d.wrong("make", name, err)
	}
	return nil
}

// Chmod gives the directory name in d these permissions.
func (d *Dir) Chmod(name string, perm fs.FileMode) error {
	sub, err := d.OpenDir(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	return sub.f.Chmod(perm)
}

// Symlink makes a symbolic link called name in d. Where it points is not looked at.
func (d *Dir) Symlink(target, name string) error {
	if err := component(name); err != nil {
		return err
	}
	if err := unix.Symlinkat(target, d.fd, name); err != nil {
		return d.wrong("link", name, err)
	}
	return nil
}

// OpenFile is Open for who wants a file: anything else is an error.
func (d *Dir) OpenFile(name string) (*os.File, error) {
	fd, info, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	if info.Kind != File {
		unix.Close(fd)
		return nil, d.wrong("open", name, notFile(info.Kind))
	}
	return os.NewFile(uintptr(fd), d.path+"/"+name), nil
}

// notFile says what is there instead of a file.
type notFile Kind

func (k notFile) Error() string { return "it is " + Kind(k).String() }
