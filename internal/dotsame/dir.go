package dotsame

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// A Dir is the .same of one workspace. Its methods may be called concurrently.
//
// Every file is written to .same/local/tmp and then renamed, so that a killed run
// leaves no half-written file anywhere else. If that is on another file system, the
// temporary file is beside the file, and prune removes it.
type Dir struct {
	root  string // the workspace's, absolute
	store string // where results, failures and blobs are: see SharedStore; "" for .same/store

	unseal   sync.Once
	unsealed error

	proveOnce sync.Once
	proofs    *Proofs
}

// Open returns the .same of the workspace at root. It need not exist yet.
func Open(root string) *Dir { return &Dir{root: root} }

// A LinkError reports that .same, or a directory in it, is a symbolic link. Its
// target does not belong to same.
type LinkError struct{ Path string }

// Error names the path.
func (e *LinkError) Error() string { return e.Path + " is a symbolic link" }

// directories are those that same and cachekey create and write to.
var directories = []string{Name, Local, Temp, Leftovers, Aside, Profiles, GCRoots, Store, Blobs, Results, Failed, Cache, Environments, OldEnvironments, Nixhub}

// CheckLinks returns a LinkError if .same, or a directory in it that is written to,
// is a symbolic link. Every command that writes calls it first.
func (d *Dir) CheckLinks() error {
	if err := d.checkLinks(directories); err != nil {
		return err
	}
	for _, shards := range []string{Blobs, Results, Failed} {
		dir, err := disk.Open(d.Path(shards))
		if err != nil {
			continue // it does not exist, or can't be used
		}
		items, _ := dir.List()
		dir.Close()
		for _, it := range items {
			if it.Kind == disk.Link {
				return d.linked(shards + "/" + it.Name)
			}
		}
	}
	return nil
}

func (d *Dir) checkLinks(paths []string) error {
	for _, p := range paths {
		if st, err := disk.Lstat(d.Path(p)); err == nil && st.Kind() == disk.Link {
			return d.linked(p)
		}
	}
	return nil
}

func (d *Dir) linked(p string) error {
	if _, ok := Shared(p); ok && d.store != "" {
		p = d.Path(p)
	}
	p = message.Name(p)
	return message.WithHint(&LinkError{p}, "remove it: rm %s", p)
}

// OpenSame opens the .same of the workspace at root. Its permissions may come from an
// archive: if it belongs to this user, OpenSame adds those that the owner needs. The
// error wraps fs.ErrNotExist or a LinkError.
func OpenSame(root string) (*disk.Dir, error) { return openSame(root, (*disk.Dir).OpenOwn) }

// MakeSame is OpenSame, and creates .same if it does not exist.
func MakeSame(root string) (*disk.Dir, error) {
	return openSame(root, func(parent *disk.Dir, name string) (*disk.Dir, error) {
		same, err := parent.OpenOwn(name)
		if errors.Is(err, fs.ErrNotExist) {
			return parent.MakeDir(name)
		}
		return same, err
	})
}

func openSame(root string, open func(*disk.Dir, string) (*disk.Dir, error)) (*disk.Dir, error) {
	if err := Open(root).checkLinks([]string{Name}); err != nil {
		return nil, err
	}
	parent, err := disk.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	return open(parent, Name)
}

// Path returns the file system path of rel, which is one of this package's paths.
func (d *Dir) Path(rel string) string {
	if d.store != "" {
		if rest, ok := Shared(rel); ok {
			return filepath.Join(d.store, filepath.FromSlash(rest))
		}
	}
	return filepath.Join(d.root, filepath.FromSlash(rel))
}

// ReadFile reads a regular file of at most limit bytes. Anything else is an error: a
// restored cache may contain it.
func (d *Dir) ReadFile(rel string, limit int64) ([]byte, error) {
	return disk.ReadFile(d.Path(rel), limit)
}

// WriteFile writes a file atomically. It creates the directories above it.
func (d *Dir) WriteFile(rel string, data []byte) error {
	return d.Create(rel, 0o644, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// Create is WriteFile with a function that writes the contents.
func (d *Dir) Create(rel string, perm fs.FileMode, write func(*os.File) error) error {
	if err := d.beforeWrite(rel); err != nil {
		return err
	}
	f, err := d.Temp()
	if err != nil {
		return err
	}
	fill := func(f *os.File) error {
		if err := f.Chmod(perm); err != nil {
			return err
		}
		return write(f)
	}
	err = disk.Replace(f, d.Path(rel), fill)
	if errors.Is(err, syscall.EXDEV) { // as when .same/store is a mount
		err = d.createBeside(rel, fill)
	}
	return err
}

// createBeside creates rel with the temporary file beside it.
func (d *Dir) createBeside(rel string, fill func(*os.File) error) error {
	name := d.root
	if inStore, ok := Shared(rel); ok && d.store != "" {
		name, rel = d.store, inStore
		if err := os.MkdirAll(name, 0o755); err != nil {
			return err
		}
	}
	root, err := disk.OpenRoot(name)
	if err != nil {
		return err
	}
	defer root.Close()
	to, err := root.ReachMaking(path.Dir(rel))
	if err != nil {
		return err
	}
	defer to.Close()
	return to.WriteAtomic(path.Base(rel), disk.NoSync, fill)
}

// Temp creates a temporary file in .same/local/tmp. The caller must rename or
// remove it; ClearTemp removes those of killed runs.
func (d *Dir) Temp() (*os.File, error) {
	f, err := os.CreateTemp(d.Path(Temp), "")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(d.Path(Temp), 0o755); err == nil {
			f, err = os.CreateTemp(d.Path(Temp), "")
		}
	}
	return f, err
}

// TempDir creates a directory in .same/local/tmp. The caller must rename or remove it;
// ClearTemp removes those of killed runs.
func (d *Dir) TempDir() (string, error) {
	err := os.MkdirAll(d.Path(Temp), 0o755)
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(d.Path(Temp), "")
}

// Remove removes a file, if it exists.
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

// beforeWrite unseals .same if rel is a file that the seal covers.
func (d *Dir) beforeWrite(rel string) error {
	if rel == Local || strings.HasPrefix(rel, Local+"/") || rel == GitIgnore {
		return nil
	}
	return d.Unseal()
}

// Unseal removes the seal. It must be called before the first change of anything
// that the seal covers: after a restore, verify removes what differs from it.
func (d *Dir) Unseal() error {
	d.unseal.Do(func() {
		err := os.Remove(d.Path(Seal))
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) { // a directory came with an archive
			err = d.removeSealDirectory()
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			err = d.unsealShared()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.unsealed = fmt.Errorf("removing the seal before the first write: %w", err)
		}
	})
	return d.unsealed
}

// unsealShared removes the seal of the workspace whose .same has the shared store.
func (d *Dir) unsealShared() error {
	owner := Owner(d.store)
	if owner == "" {
		return nil
	}
	return os.Remove(Open(owner).Path(Seal))
}

func (d *Dir) removeSealDirectory() error {
	same, err := OpenSame(d.root)
	if err != nil {
		return err
	}
	defer same.Close()
	_, err = NewRemover(same).Remove(same, Rel(Seal))
	return err
}

// IgnoreInGit makes git ignore .same, whatever is in the workspace's own .gitignore.
// If .same were added to git by mistake, every run would change the key.
func (d *Dir) IgnoreInGit() error {
	if _, err := os.Lstat(d.Path(GitIgnore)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.WriteFile(GitIgnore, []byte("*\n"))
}
