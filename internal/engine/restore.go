package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// restore makes the files at t's targets equal to the outputs of v's result: files
// that are missing or differ come from the store. If it fails, t has to run.
func (s *session) restore(ctx context.Context, t *manifest.Task, v *verdict) error {
	in, outputs, known := v.inputs, v.result.Outputs, v.result.Outputs
	if v.last != nil && v.last != v.result {
		known = v.last.Outputs // those of the result are in the store
	}
	s.removeLeftovers(ctx, t, in)
	there, err := s.scanOpen(ctx, t)
	if err != nil {
		return err
	}
	have := there.outputs
	diff := compare(have, outputs)
	if len(diff.wrong) == 0 && len(diff.extra) == 0 {
		s.storeMissing(outputs)
		return nil
	}
	epoch := s.files.Epoch()
	trees, rest := s.takeTrees(t, have, diff.wrong)
	defer func() {
		for _, tr := range trees {
			tr.discard() // does nothing to those that were placed
		}
	}()
	for _, tr := range trees {
		if err := tr.stage(ctx, s); err != nil {
			return err
		}
	}
	staged, err := s.stage(ctx, rest)
	defer func() {
		for _, f := range staged {
			if f.name != "" {
				_ = syscall.Unlink(f.name) // does nothing to those that were placed
			}
		}
	}()
	if err != nil {
		return err
	}
	placed := false
	defer func() {
		for _, o := range slices.Concat(diff.wrong, diff.extra) {
			s.files.ChangedPath(o.Path)
		}
		if placed {
			for _, tr := range trees {
				tr.prime(s, epoch)
			}
			s.prime(rest, staged, epoch)
		}
		s.programChanged()
	}()
	wrong := byPath(diff.wrong)
	s.makeWritable(outputs)
	c := s.clear(in, replaced(have, diff, wrong), known)
	s.reportAside(t, c.aside, outputs)
	if c.stuck != nil {
		return c.stuck
	}
	for _, tr := range trees {
		err := tr.place(s)
		if errors.Is(err, syscall.EXDEV) {
			s.noTrees.Store(true)
			return s.restore(ctx, t, v) // file by file
		}
		if err != nil {
			return fmt.Errorf("restoring %s: %w", tr.target, err)
		}
	}
	if err := s.placeAll(staged, rest); err != nil {
		return err
	}
	trail := s.root.Trail()
	defer trail.Close()
	made := func(o dotsame.Output) bool {
		return slices.ContainsFunc(trees, func(tr *tree) bool { return isBelow(o.Path, tr.target) })
	}
	for _, o := range slices.Backward(outputs) { // a directory may become read-only
		if _, touched := wrong[o.Path]; o.Type == dotsame.TypeDir && (touched || o.Mode&0o300 != 0o300) && !made(o) {
			dir, err := trail.Reach(path.Dir(o.Path))
			if err == nil {
				err = dir.Chmod(path.Base(o.Path), o.Mode.Perm())
			}
			if err != nil {
				return err
			}
		}
	}
	placed = true
	return nil
}

// placeAll places the directories and links, and then the files.
func (s *session) placeAll(from []staged, outputs []dotsame.Output) error {
	place := func(trail *disk.Trail, i int) error {
		if err := s.place(trail, from[i].name, outputs[i]); err != nil {
			return fmt.Errorf("restoring %s: %w", outputs[i].Path, err)
		}
		return nil
	}
	trail := s.root.Trail()
	defer trail.Close()
	for i, o := range outputs {
		if o.Type != dotsame.TypeFile {
			if err := place(trail, i); err != nil {
				return err
			}
		}
	}
	return s.parallel(len(outputs), func(next func() (int, int, bool)) error {
		trail := s.root.Trail()
		defer trail.Close()
		for from, to, ok := next(); ok; from, to, ok = next() {
			for i := from; i < to; i++ {
				if outputs[i].Type != dotsame.TypeFile {
					continue
				}
				if err := place(trail, i); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// prime records the digests of files that were placed, so that tasks that read them need
// not hash them again: their bytes were hashed on their way out of the store.
func (s *session) prime(outputs []dotsame.Output, from []staged, epoch uint32) {
	_ = s.parallel(len(outputs), func(next func() (int, int, bool)) error {
		trail := s.root.Trail()
		defer trail.Close()
		for first, last, ok := next(); ok; first, last, ok = next() {
			for i := first; i < last; i++ {
				if outputs[i].Type == dotsame.TypeFile {
					s.primeOne(trail, outputs[i], from[i].stamp, epoch)
				}
			}
		}
		return nil
	})
}

func (s *session) primeOne(trail *disk.Trail, o dotsame.Output, want disk.Stamp, epoch uint32) {
	dir, err := trail.Reach(path.Dir(o.Path))
	if err != nil {
		return
	}
	info, err := dir.Lstat(path.Base(o.Path))
	want.Ctime = info.Ctime // to rename a file changes it
	if err == nil && info.Stamp == want {
		s.files.Prime(o.Path, info.Stamp, o.Digest, epoch)
	}
}

// replaced returns the files that restore has to remove: those that are not
// among the outputs, and those that differ in more than their mode.
func replaced(have []dotsame.Output, diff difference, wrong map[string]dotsame.Output) []dotsame.Output {
	gone := slices.Clone(diff.extra)
	for _, o := range have {
		if w, ok := wrong[o.Path]; ok && (o.Type != w.Type || o.Digest != w.Digest || o.Link != w.Link) {
			gone = append(gone, o)
		}
	}
	slices.SortFunc(gone, comparePath)
	return gone
}

// A staged is a file or link that restore will place.
type staged struct {
	name  string     // of the temporary file; "" for a directory
	stamp disk.Stamp // of a file
}

// stage makes every file and link that restore will place, so that a bad blob changes
// nothing in the workspace. The result is parallel to outputs.
func (s *session) stage(ctx context.Context, outputs []dotsame.Output) ([]staged, error) {
	all := make([]staged, len(outputs))
	err := s.parallel(len(outputs), func(next func() (int, int, bool)) error {
		for from, to, ok := next(); ok; from, to, ok = next() {
			for i := from; i < to; i++ {
				var err error
				if all[i], err = s.stageOne(ctx, outputs[i]); err != nil {
					return fmt.Errorf("restoring %s: %w", outputs[i].Path, err)
				}
			}
		}
		return nil
	})
	return all, err
}

func (s *session) stageOne(ctx context.Context, o dotsame.Output) (f staged, err error) {
	switch err = ctx.Err(); {
	case err != nil:
	case o.Type == dotsame.TypeFile:
		f, err = s.stageFile(o)
	case o.Type == dotsame.TypeLink:
		f.name, err = s.stageLink(o)
	}
	return f, err
}

// temp creates a temporary file, in .same or, if that is read-only, elsewhere:
// outputs can be restored from a .same that cannot be written.
func (s *session) temp() (*os.File, error) {
	f, err := s.dir.Temp()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return os.CreateTemp("", "same-output-*")
	}
	return f, err
}

func (s *session) stageFile(o dotsame.Output) (staged, error) {
	f, err := s.temp()
	if err != nil {
		return staged{}, err
	}
	defer f.Close()
	err = s.dir.GetBlob(f, o.Digest, o.Size)
	if err == nil {
		err = f.Chmod(o.Mode.Perm())
	}
	st := disk.Stamp{}
	if err == nil {
		st, err = disk.Fstat(int(f.Fd()))
	}
	return staged{f.Name(), st}, err
}

func (s *session) stageLink(o dotsame.Output) (string, error) {
	f, err := s.temp() // for its name
	if err != nil {
		return "", err
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return "", err
	}
	return f.Name(), os.Symlink(o.Link, f.Name())
}

// place moves a staged output to its path, or makes a directory there.
func (s *session) place(trail *disk.Trail, staged string, o dotsame.Output) error {
	dir, err := trail.ReachMaking(path.Dir(o.Path))
	if err != nil {
		return err
	}
	name := path.Base(o.Path)
	st, err := dir.Lstat(name)
	if err == nil && (st.Kind() == disk.Directory) != (o.Type == dotsame.TypeDir) {
		// Only an empty directory is removed: the files in another are not known.
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
		return s.placeAcross(dir, name, o)
	}
	return err
}

// placeAcross writes an output whose target is on another file system than .same, so
// that a staged file cannot be moved there.
func (s *session) placeAcross(dir *disk.Dir, name string, o dotsame.Output) error {
	if o.Type == dotsame.TypeLink {
		if err := dir.RemoveFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return dir.Symlink(o.Link, name)
	}
	return dir.WriteAtomic(name, disk.NoSync, func(f *os.File) error {
		if err := f.Chmod(o.Mode.Perm()); err != nil { // before it has contents
			return err
		}
		return s.dir.GetBlob(f, o.Digest, o.Size)
	})
}
