package safedir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Durability says what a crash of the machine may undo.
type Durability bool

// The durabilities.
const (
	Fleeting Durability = false // the write, as a whole
	Lasting  Durability = true  // nothing: the file is on disk when Write returns
)

// Write has fill write a new file and then gives it its name in d, so that a
// reader finds the old file or the new one, whole.
func (d *Dir) Write(name string, lasting Durability, fill func(*os.File) error) error {
	temp := name + "." + rand.Text() + ".tmp"
	f, err := d.create(temp)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil && lasting == Lasting {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = d.rename(temp, name)
	}
	if err != nil {
		_, _ = d.Remove(temp)
		return err
	}
	if lasting == Lasting {
		return d.f.Sync()
	}
	return nil
}

// create makes the file name in d, which must not exist in any form.
func (d *Dir) create(name string) (*os.File, error) {
	if err := component(name); err != nil {
		return nil, err
	}
	fd, err := again(func() (int, error) {
		return unix.Openat(d.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
	})
	if err != nil {
		return nil, d.wrong("create", name, err)
	}
	return os.NewFile(uintptr(fd), d.path+"/"+name), nil
}

// rename gives old in d the name new in d, replacing what has it.
func (d *Dir) rename(old, new string) error {
	if err := errors.Join(component(old), component(new)); err != nil {
		return err
	}
	if err := unix.Renameat(d.fd, old, d.fd, new); err != nil {
		return d.wrong("rename", old, err)
	}
	return nil
}

// MakeDir opens the directory name in d, which it makes if nothing has that name.
func (d *Dir) MakeDir(name string) (*Dir, error) {
	if err := component(name); err != nil {
		return nil, err
	}
	if err := unix.Mkdirat(d.fd, name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, d.wrong("make", name, err)
	}
	return d.OpenDir(name)
}
