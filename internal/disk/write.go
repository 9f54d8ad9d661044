package disk

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
	temp := ".cachekey-" + rand.Text() + ".tmp" // not of name, which may be as long as names get
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
		err = d.Move(temp, d, name)
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
	fd, err := Retry(func() (int, error) {
		return unix.Openat(d.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
	})
	if err != nil {
		return nil, d.wrong("create", name, err)
	}
	return os.NewFile(uintptr(fd), d.path+"/"+name), nil
}

// openOrMake is MakeDir where name is mostly there.
func (d *Dir) openOrMake(name string) (*Dir, error) {
	sub, err := d.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return d.MakeDir(name)
	}
	return sub, err
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
