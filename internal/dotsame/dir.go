package dotsame

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"cachekey/internal/disk"
)

// A Dir is the .same of one workspace. Its methods may be called at once.
//
// Everything is written to .same/local/tmp and then renamed, so that a killed
// run leaves no half of a file where anyone looks.
type Dir struct {
	root string // the workspace's, absolute

	unseal sync.Once
	sealed error
}

// Open gives the .same of the workspace at root, which need not exist yet.
func Open(root string) *Dir { return &Dir{root: root} }

// Path gives the place in the file system of one of this package's constants,
// or of what an InfoPath or a BlobPath names.
func (d *Dir) Path(rel string) string { return filepath.Join(d.root, filepath.FromSlash(rel)) }

// WriteFile puts a file in place, whole or not at all, and makes the directories
// above it.
func (d *Dir) WriteFile(rel string, data []byte) error {
	return d.Create(rel, 0o644, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// Create puts in place the file that write fills.
func (d *Dir) Create(rel string, perm fs.FileMode, write func(*os.File) error) error {
	if err := d.beforeWrite(rel); err != nil {
		return err
	}
	f, err := d.Temp()
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone by then if all went well
	err = write(f)
	if err == nil {
		err = f.Chmod(perm)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return d.place(f.Name(), rel)
}

// place renames a finished temporary file.
func (d *Dir) place(tmp, rel string) error {
	to := d.Path(rel)
	err := os.Rename(tmp, to)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
			err = os.Rename(tmp, to)
		}
	}
	return err
}

// Temp makes a new temporary file in .same/local/tmp. Whoever asks for it
// renames or removes it; what a killed run leaves, ClearTemp removes.
func (d *Dir) Temp() (*os.File, error) {
	f, err := os.CreateTemp(d.Path(Temp), "")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(d.Path(Temp), 0o755); err == nil {
			f, err = os.CreateTemp(d.Path(Temp), "")
		}
	}
	return f, err
}

// ClearTemp removes what killed runs left, and nothing that a link called
// .same/local leads to. The caller holds the lock of runs.
func (d *Dir) ClearTemp() error {
	same, err := disk.OpenRoot(d.Path(Name))
	if err != nil {
		return err
	}
	defer same.Close()
	local, err := same.OpenDir(path.Base(Local))
	if err != nil {
		return err
	}
	defer local.Close()
	_, err = local.Remove(path.Base(Temp))
	return err
}

// IgnoreInGit has git leave .same alone, whatever the workspace's own .gitignore
// says: a .same that was added by mistake would give every run another key.
func (d *Dir) IgnoreInGit() error {
	if _, err := os.Lstat(d.Path(GitIgnore)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.WriteFile(GitIgnore, []byte("*\n"))
}

// Remove removes a file, if it is there.
func (d *Dir) Remove(rel string) error {
	if err := d.beforeWrite(rel); err != nil {
		return err
	}
	err := os.Remove(d.Path(rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Unseal removes the seal. It comes before the first change of anything that
// the seal covers: a seal of what is no longer there would condemn the rest.
func (d *Dir) Unseal() error {
	d.unseal.Do(func() {
		if err := os.Remove(d.Path(Seal)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.sealed = fmt.Errorf("removing the seal before the first write: %w", err)
		}
	})
	return d.sealed
}

func (d *Dir) beforeWrite(rel string) error {
	if rel == Local || strings.HasPrefix(rel, Local+"/") || rel == GitIgnore {
		return nil
	}
	return d.Unseal()
}

// ReadFile reads a file of at most limit bytes. Only a regular file is read: a
// cache can bring a link or a pipe instead.
func (d *Dir) ReadFile(rel string, limit int64) ([]byte, error) {
	name := d.Path(rel)
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	data := make([]byte, st.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return data, nil
}
