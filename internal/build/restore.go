package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"cachekey/internal/manifest"
	"cachekey/internal/samedir"
)

// bringBack makes t's targets what info says that they were: what is missing
// or differs comes from the store. An error means that t has to run.
func (r *Runner) bringBack(ctx context.Context, t *manifest.Task, in *inputs, info *samedir.BuildInfo) error {
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
			os.Remove(tmp) // those that were placed are gone
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
	gone := r.replaced(have, diff)
	r.writable(info.Outputs)
	r.settle(t, r.dispose(t, in, gone, info.Outputs), info.Outputs)
	for i, o := range diff.wrong {
		if err := r.place(staged[i], o); err != nil {
			return fmt.Errorf("restoring %s: %w", o.Path, err)
		}
	}
	for _, o := range slices.Backward(info.Outputs) { // a directory may become read-only
		if o.Type == samedir.TypeDir && (o.Mode&0o300 != 0o300 || slices.Contains(diff.wrong, o)) {
			if err := os.Chmod(r.dir.Path(o.Path), o.Mode.Perm()); err != nil {
				return err
			}
		}
	}
	return nil
}

// stage makes all that will be placed, so that a bad blob changes nothing. The
// names are parallel to outputs; directories have none.
func (r *Runner) stage(ctx context.Context, outputs []samedir.Output) (names []string, err error) {
	for _, o := range outputs {
		name := ""
		switch err = ctx.Err(); {
		case err != nil:
		case o.Type == samedir.TypeFile:
			name, err = r.stageFile(o)
		case o.Type == samedir.TypeLink:
			name, err = r.stageLink(o)
		}
		names = append(names, name)
		if err != nil {
			return names, fmt.Errorf("restoring %s: %w", o.Path, err)
		}
	}
	return names, nil
}

func (r *Runner) stageFile(o samedir.Output) (string, error) {
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

func (r *Runner) stageLink(o samedir.Output) (string, error) {
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

// place puts a staged output where it belongs, or makes a directory there.
func (r *Runner) place(staged string, o samedir.Output) error {
	if err := r.makeParents(path.Dir(o.Path)); err != nil {
		return err
	}
	name := r.dir.Path(o.Path)
	st, err := os.Lstat(name)
	if err == nil && st.IsDir() != (o.Type == samedir.TypeDir) {
		// Only an empty directory goes: what is in another nobody may know.
		if err := os.Remove(name); err != nil {
			return err
		}
		err = fs.ErrNotExist
	}
	if o.Type == samedir.TypeDir {
		if err == nil {
			return os.Chmod(name, o.Mode.Perm()|0o700)
		}
		return os.Mkdir(name, o.Mode.Perm()|0o700)
	}
	err = os.Rename(staged, name)
	if errors.Is(err, syscall.EXDEV) {
		return r.placeAcross(name, o)
	}
	return err
}

// placeAcross is for a target on another file system than .same, where nothing
// can be renamed to.
func (r *Runner) placeAcross(name string, o samedir.Output) error {
	if o.Type == samedir.TypeLink {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Symlink(o.Link, name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".same-restore-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := r.dir.GetBlob(f, o.Digest); err != nil {
		return err
	}
	if err := f.Chmod(o.Mode.Perm()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// makeParents makes the directories above an output, and goes through no link:
// one that leads out of the workspace would take the output along.
func (r *Runner) makeParents(dir string) error {
	if dir == "." {
		return nil
	}
	name := r.dir.Path(dir)
	st, err := os.Lstat(name)
	if err == nil && !st.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := r.makeParents(path.Dir(dir)); err != nil {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(name, 0o755); errors.Is(err, fs.ErrExist) {
			return nil
		}
	}
	return err
}

// replaced gives what is there and has to go: what is not among the outputs, or
// not as it should be.
func (r *Runner) replaced(have []samedir.Output, diff difference) []samedir.Output {
	wrong := make(map[string]samedir.Output, len(diff.wrong))
	for _, o := range diff.wrong {
		wrong[o.Path] = o
	}
	gone := slices.Clone(diff.extra)
	for _, o := range have {
		if w, ok := wrong[o.Path]; ok && (o.Type != w.Type || o.Digest != w.Digest || o.Link != w.Link) {
			gone = append(gone, o)
		}
	}
	slices.SortFunc(gone, func(a, b samedir.Output) int { return strings.Compare(a.Path, b.Path) })
	return gone
}
