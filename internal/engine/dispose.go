package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// clean empties t's targets before it runs, as if it had never run here: a file
// that it no longer makes would else stay among its outputs for ever. It gives
// what it put aside, and why something had to stay.
func (r *Runner) clean(ctx context.Context, t *manifest.Task, in *inputs) (aside []dotsame.Output, stayed, err error) {
	if len(t.Targets) == 0 {
		return nil, nil, nil
	}
	r.sweep(ctx, t, in)
	have, _, err := r.scanPresent(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	var made []dotsame.Output
	if info, err := r.dir.ReadBuildInfo(t.Name); err == nil && info != nil {
		made = info.Outputs
	}
	aside, stayed = r.dispose(in, have, made)
	return aside, stayed, nil
}

// dispose removes what is at t's targets and must not stay there. What t is
// known to have made is gone then; so is what the store has. Anything else may
// be somebody's work, at a target that was badly chosen: it is put aside. What
// can't go is an error, the first of them: it would pass for something that t
// has made.
func (r *Runner) dispose(in *inputs, outputs, made []dotsame.Output) (aside []dotsame.Output, stayed error) {
	known := byPath(made)
	r.writable(outputs)
	for _, o := range slices.Backward(outputs) { // what a directory holds comes before it
		if in.has(o.Path) {
			continue
		}
		r.files.ChangedPath(o.Path)
		err := r.at(o.Path, func(dir *disk.Dir, name string) error {
			switch {
			case o.Type == dotsame.TypeDir:
				_ = dir.RemoveEmpty(name) // unless something stays in it
				return nil
			case known[o.Path] == o, r.stored(o):
				return dir.RemoveFile(name)
			}
			err := r.putAside(dir, name, o)
			if err == nil {
				aside = append(aside, o)
			}
			return err
		})
		if err != nil && stayed == nil && !errors.Is(err, fs.ErrNotExist) {
			stayed = fmt.Errorf("%s is in the way at its target, and can't be moved: %w", o.Path, err)
		}
	}
	return aside, stayed
}

// writable lets the entries of these directories be removed and replaced.
func (r *Runner) writable(outputs []dotsame.Output) {
	for _, o := range outputs {
		if o.Type == dotsame.TypeDir && o.Mode&0o300 != 0o300 {
			_ = r.at(o.Path, func(dir *disk.Dir, name string) error { // what then can't be done says so
				return dir.Chmod(name, o.Mode.Perm()|0o700)
			})
		}
	}
}

func (r *Runner) stored(o dotsame.Output) bool {
	return o.Type == dotsame.TypeFile && r.dir.HasBlob(o.Digest, o.Size)
}

// putAside moves name in dir, which is o, to where nothing makes or reads it.
func (r *Runner) putAside(dir *disk.Dir, name string, o dotsame.Output) error {
	to := r.asidePath(o)
	if err := os.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	aside, err := disk.OpenRoot(path.Dir(to))
	if err != nil {
		return err
	}
	defer aside.Close()
	err = dir.Move(name, aside, path.Base(to))
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	// The target is on another file system than .same.
	if o.Type == dotsame.TypeLink {
		err = aside.Symlink(o.Link, path.Base(to))
	} else {
		err = copyAside(dir, name, aside, path.Base(to), o.Mode.Perm())
	}
	if err != nil {
		return err
	}
	return dir.RemoveFile(name)
}

func copyAside(dir *disk.Dir, name string, aside *disk.Dir, as string, perm fs.FileMode) error {
	from, err := dir.OpenFile(name)
	if err != nil {
		return err
	}
	defer from.Close()
	return aside.WriteAtomic(as, disk.Sync, func(f *os.File) error {
		if _, err := io.Copy(f, from); err != nil {
			return err
		}
		return f.Chmod(perm)
	})
}

func (r *Runner) asidePath(o dotsame.Output) string { return r.dir.Path(path.Join(r.aside, o.Path)) }

// settle looks again at what was put aside, now that t's targets are made: what
// came out the same is no loss. Of the rest people are told.
func (r *Runner) settle(t *manifest.Task, aside, outputs []dotsame.Output) {
	made := byPath(outputs)
	var left []dotsame.Output
	for _, o := range aside {
		if !r.stored(o) && made[o.Path] != o {
			left = append(left, o)
			continue
		}
		_ = os.Remove(r.asidePath(o))
		for dir := path.Dir(path.Join(r.aside, o.Path)); dir != dotsame.Local; dir = path.Dir(dir) {
			if os.Remove(r.dir.Path(dir)) != nil {
				break // there is more in it
			}
		}
	}
	if len(left) == 0 {
		return
	}
	more := ""
	if len(left) > 1 {
		more = fmt.Sprintf(" and %d more", len(left)-1)
	}
	r.warnf("task %q: %s%s lay at its targets, and no remembered run made that; it is now below %s", t.Name, left[0].Path, more, r.aside)
}

// same gives what is in both of two sorted lists.
func same(a, b []dotsame.Output) (both []dotsame.Output) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Path < b[0].Path:
			a = a[1:]
		case a[0].Path > b[0].Path:
			b = b[1:]
		default:
			if a[0] == b[0] {
				both = append(both, a[0])
			}
			a, b = a[1:], b[1:]
		}
	}
	return both
}
