package disk

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A Durability is what an atomic write guarantees if the machine crashes.
type Durability bool

// The durabilities. With either, a reader finds the complete old or new file.
const (
	NoSync Durability = false // a crash may undo the write
	Sync   Durability = true  // the file is on the disk when the write returns
)

// WriteAtomic creates a temporary file in d, calls fill to write it, and renames
// it to name.
func (d *Dir) WriteAtomic(name string, sync Durability, fill func(*os.File) error) error {
	temp := ".cachekey-" + rand.Text() + ".tmp" // without name, which may be as long as names get
	if err := component(name); err != nil {
		return err
	}
	fd, err := Retry(func() (int, error) {
		return unix.Openat(d.fd, temp, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
	})
	if err != nil {
		return d.error("create", name, err)
	}
	err = finish(os.NewFile(uintptr(fd), d.path+"/"+temp), sync, fill)
	if err == nil {
		err = d.Move(temp, d, name)
	}
	if err != nil {
		_ = d.RemoveFile(temp)
		return err
	}
	if sync == Sync {
		return d.f.Sync()
	}
	return nil
}

// Create creates the file name in d for writing. It is an error if the name exists.
func (d *Dir) Create(name string) (*os.File, error) {
	fd, err := d.openAt(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), d.path+"/"+name), nil
}

// OpenOrCreate opens the regular file name in d for reading and writing, and
// creates it if nothing has that name. It neither follows a link nor blocks. The
// caller must check the number of links before writing.
func (d *Dir) OpenOrCreate(name string) (*os.File, Info, error) {
	fd, err := d.openAt(name, openAny|unix.O_RDWR|unix.O_CREAT, 0o644)
	if err != nil {
		return nil, Info{}, err
	}
	return regular(fd, d.path+"/"+name)
}

// Replace calls fill to write temp, a file that the caller has just created in
// another directory of the same file system, and renames it to path. It creates
// the directories above path, and closes temp. On an error it removes temp.
func Replace(temp *os.File, path string, fill func(*os.File) error) error {
	err := finish(temp, NoSync, fill)
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.Rename(temp.Name(), path)
		}
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}

func finish(f *os.File, sync Durability, fill func(*os.File) error) error {
	err := fill(f)
	if err == nil && sync == Sync {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Move renames name in d to the name as in to, where it replaces anything but a
// directory. If they are on different file systems, the error is EXDEV.
func (d *Dir) Move(name string, to *Dir, as string) error {
	if err := component(as); err != nil {
		return err
	}
	return d.change("move", name, func() error { return unix.Renameat(d.fd, name, to.fd, as) })
}

// Take renames the file path, which the caller has created, to the name as in d.
func (d *Dir) Take(path, as string) error {
	return d.change("move to", as, func() error { return unix.Renameat(unix.AT_FDCWD, path, d.fd, as) })
}

// RemoveFile removes name in d, unless it is a directory.
func (d *Dir) RemoveFile(name string) error {
	return d.change("remove", name, func() error { return unix.Unlinkat(d.fd, name, 0) })
}

// RemoveEmpty removes the directory name in d if it is empty.
func (d *Dir) RemoveEmpty(name string) error {
	return d.change("remove", name, func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) })
}

// Mkdir creates the directory name in d with the permissions perm, less the umask's.
func (d *Dir) Mkdir(name string, perm fs.FileMode) error {
	return d.change("create", name, func() error { return unix.Mkdirat(d.fd, name, uint32(perm.Perm())) })
}

// Symlink creates the symbolic link name in d. The target may be anything.
func (d *Dir) Symlink(target, name string) error {
	return d.change("link", name, func() error { return unix.Symlinkat(target, d.fd, name) })
}

// change calls call, which operates on name in d, and adds the path to its error.
func (d *Dir) change(op, name string, call func() error) error {
	if err := component(name); err != nil {
		return err
	}
	if err := call(); err != nil {
		return d.error(op, name, err)
	}
	return nil
}

// Chmod sets the permissions of the directory name in d.
func (d *Dir) Chmod(name string, perm fs.FileMode) error {
	sub, err := d.OpenDir(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	return sub.f.Chmod(perm)
}
