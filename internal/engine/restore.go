package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// bringBack makes t's targets what info says that they were: what is missing
// or differs comes from the store. An error means that t has to run.
func (r *Runner) bringBack(ctx context.Context, t *manifest.Task, in *inputs, info *dotsame.BuildInfo) error {
	r.sweep(ctx, t, in)
	have, _, err := r.scanPresent(ctx, t)
	if err != nil {
		return err
	}
	diff := compare(have, info.Outputs)
	if diff.none() {
		r.heal(info.Outputs)
		return nil
	}
	staged, err := r.stage(ctx, diff.wrong)
	defer func() {
		for _, tmp := range staged {
			if tmp != "" {
				_ = syscall.Unlink(tmp) // those that were placed are gone
			}
		}
	}()
	if err != nil {
		return err
	}
	defer func() {
		for _, o := range slices.Concat(diff.wrong, diff.extra) {
			r.files.ChangedPath(o.Path)
		}
	}()
	wrong := byPath(diff.wrong)
	r.writable(info.Outputs)
	aside, err := r.dispose(in, replaced(have, diff, wrong), info.Outputs)
	r.settle(t, aside, info.Outputs)
	if err != nil {
		return err
	}
	trail := r.root.Trail()
	defer trail.Close()
	for i, o := range diff.wrong {
		if err := r.place(trail, staged[i], o); err != nil {
			return fmt.Errorf("restoring %s: %w", o.Path, err)
		}
	}
	for _, o := range slices.Backward(info.Outputs) { // a directory may become read-only
		if _, touched := wrong[o.Path]; o.Type == dotsame.TypeDir && (touched || o.Mode&0o300 != 0o300) {
			dir, err := trail.Reach(path.Dir(o.Path))
			if err == nil {
				err = dir.Chmod(path.Base(o.Path), o.Mode.Perm())
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// stage makes all that will be placed, so that a bad blob changes nothing. The
// names are parallel to outputs; directories have none.
func (r *Runner) stage(ctx context.Context, outputs []dotsame.Output) (names []string, err error) {
	for _, o := range outputs {
		name := ""
		switch err = ctx.Err(); {
		case err != nil:
		case o.Type == dotsame.TypeFile:
			name, err = r.stageFile(o)
		case o.Type == dotsame.TypeLink:
			name, err = r.stageLink(o)
		}
		names = append(names, name)
		if err != nil {
			return names, fmt.Errorf("restoring %s: %w", o.Path, err)
		}
	}
	return names, nil
}

func (r *Runner) stageFile(o dotsame.Output) (string, error) {
	f, err := r.dir.Temp()
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := r.dir.GetBlob(f, o.Digest); err != nil {
		return f.Name(), err
	}
	return f.Name(), f.Chmod(o.Mode.Perm())
}

func (r *Runner) stageLink(o dotsame.Output) (string, error) {
	f, err := r.dir.Temp() // for its name
	if err != nil {
		return "", err
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return "", err
	}
	return f.Name(), os.Symlink(o.Link, f.Name())
}

// at has do work on p, by its name in the directory that holds it. That is
// opened name by name from the workspace root: a link on the way, even one that
// somebody puts there meanwhile, would take what do does to another place.
func (r *Runner) at(p string, do func(dir *disk.Dir, name string) error) error {
	dir, err := r.root.Reach(path.Dir(p))
	if err != nil {
		return err
	}
	defer dir.Close()
	return do(dir, path.Base(p))
}

// place puts a staged output where it belongs, or makes a directory there.
func (r *Runner) place(trail *disk.Trail, staged string, o dotsame.Output) error {
	dir, err := trail.ReachMaking(path.Dir(o.Path))
	if err != nil {
		return err
	}
	name := path.Base(o.Path)
	st, err := dir.Lstat(name)
	if err == nil && (st.Kind() == disk.Directory) != (o.Type == dotsame.TypeDir) {
		// Only an empty directory goes: what is in another nobody may know.
		if st.Kind() == disk.Directory {
			err = dir.RemoveEmpty(name)
		} else {
			err = dir.RemoveFile(name)
		}
		if err != nil {
			return err
		}
		err = fs.ErrNotExist
	}
	if o.Type == dotsame.TypeDir {
		if err == nil {
			return dir.Chmod(name, o.Mode.Perm()|0o700)
		}
		return dir.Mkdir(name, o.Mode.Perm()|0o700)
	}
	err = dir.Take(staged, name)
	if errors.Is(err, syscall.EXDEV) {
		return r.placeAcross(dir, name, o)
	}
	return err
}

// placeAcross is for a target on another file system than .same, where nothing
// can be moved to.
func (r *Runner) placeAcross(dir *disk.Dir, name string, o dotsame.Output) error {
	if o.Type == dotsame.TypeLink {
		if err := dir.RemoveFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return dir.Symlink(o.Link, name)
	}
	return dir.WriteAtomic(name, disk.NoSync, func(f *os.File) error {
		if err := r.dir.GetBlob(f, o.Digest); err != nil {
			return err
		}
		return f.Chmod(o.Mode.Perm())
	})
}

// replaced gives what is there and has to go: what is not among the outputs, or
// not as it should be.
func replaced(have []dotsame.Output, diff difference, wrong map[string]dotsame.Output) []dotsame.Output {
	gone := slices.Clone(diff.extra)
	for _, o := range have {
		if w, ok := wrong[o.Path]; ok && (o.Type != w.Type || o.Digest != w.Digest || o.Link != w.Link) {
			gone = append(gone, o)
		}
	}
	slices.SortFunc(gone, func(a, b dotsame.Output) int { return strings.Compare(a.Path, b.Path) })
	return gone
}

func byPath(outputs []dotsame.Output) map[string]dotsame.Output {
	m := make(map[string]dotsame.Output, len(outputs))
	for _, o := range outputs {
		m[o.Path] = o
	}
	return m
}
