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
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
)

// A listing is what is at a task's targets.
type listing struct {
	outputs     []dotsame.Output // ordered by path
	missing     error            // about the first target that does not exist; a LinkError comes first
	unstorable  error            // about the first output that can't be stored
	unreachable error            // about the first target above which a directory can't be read
}

// scan lists what is at t's targets. It fails only if ctx is done.
func (s *session) scan(ctx context.Context, t *manifest.Task) (l listing, err error) {
	for _, target := range t.Targets {
		found, unstorable, err := s.files.Scan(ctx, target)
		switch {
		case ctx.Err() != nil:
			return l, ctx.Err()
		case errors.Is(err, files.ErrNotThere):
			if l.missing == nil || behindLink(err) != nil && behindLink(l.missing) == nil {
				l.missing = fmt.Errorf("target %q was not made: %w", target, err)
			}
		case err != nil:
			unstorable = fmt.Errorf("target %q: %w", target, err)
			if l.unreachable == nil {
				l.unreachable = unstorable
			}
		}
		if l.unstorable == nil {
			l.unstorable = unstorable
		}
		l.outputs = append(l.outputs, found...)
	}
	slices.SortFunc(l.outputs, comparePath)
	return l, nil
}

// behindLink returns the LinkError that err wraps, or nil.
func behindLink(err error) (link *files.LinkError) {
	errors.As(err, &link)
	return link
}

// scanOpen is like scan, but first adds the permissions of the owner to directories
// that it can't list. They are about to be emptied, or compared with stored outputs.
func (s *session) scanOpen(ctx context.Context, t *manifest.Task) (listing, error) {
	l, err := s.scan(ctx, t)
	if err != nil || !slices.ContainsFunc(l.outputs, func(o dotsame.Output) bool { return o.Type == files.TypeUnreadableDir }) {
		return l, err
	}
	for _, target := range t.Targets {
		_ = s.at(target, func(dir *disk.Dir, name string) error { // a directory that stays unreadable is moved whole
			return dir.Walk(name, func(e disk.Entry) (bool, error) {
				if e.Kind == disk.Directory {
					_ = e.Dir.Unlock(e.Name)
				}
				return e.Kind == disk.Directory, nil
			}, func(disk.Entry, error) error { return nil })
		})
	}
	s.files.Changed()
	return s.scan(ctx, t)
}

func comparePath(a, b dotsame.Output) int { return strings.Compare(a.Path, b.Path) }

func byPath(outputs []dotsame.Output) map[string]dotsame.Output {
	m := make(map[string]dotsame.Output, len(outputs))
	for _, o := range outputs {
		m[o.Path] = o
	}
	return m
}

// A difference is how the files at t's targets differ from stored outputs.
type difference struct {
	wrong []dotsame.Output // stored outputs that are missing or differ
	extra []dotsame.Output // files that are not among the outputs
}

// compare compares two lists that are ordered by path.
func compare(have, want []dotsame.Output) (d difference) {
	for len(have) > 0 || len(want) > 0 {
		switch {
		case len(want) == 0 || len(have) > 0 && have[0].Path < want[0].Path:
			d.extra = append(d.extra, have[0])
			have = have[1:]
		case len(have) == 0 || have[0].Path > want[0].Path:
			d.wrong = append(d.wrong, want[0])
			want = want[1:]
		default:
			if have[0] != want[0] {
				d.wrong = append(d.wrong, want[0])
			}
			have, want = have[1:], want[1:]
		}
	}
	return d
}

// store stores the outputs of t, what it printed, and the inputs that they were made from,
// and reports whether it succeeded. If not, the task has still succeeded, but will run again next
// time.
func (s *session) store(ctx context.Context, t *manifest.Task, in *inputs, outputs []dotsame.Output, took time.Duration, rec *recorder) bool {
	if len(in.unsure) > 0 {
		return false
	}
	if changed := s.changed(ctx, t, in); changed != "" {
		s.warnf("task %q will run again next time: its input %s changed while it ran", t.Name, changed)
		return false
	}
	if err := s.storeFiles(outputs); err != nil {
		s.cannotStore(fmt.Errorf("task %q: %w", t.Name, err))
		return false
	}
	result := &dotsame.BuildInfo{
		TaskName:   t.Name,
		InputHash:  in.hash.String(),
		OutputHash: dotsame.OutputHash(outputs).String(),
		Timestamp:  time.Now().UTC().Truncate(time.Second),
		Schema:     dotsame.BuildInfoSchema,
		DurationMS: took.Milliseconds(),
		Outputs:    outputs,
		Log:        s.keepLog(t, rec),
		Recipe:     in.recipe,
		Depends:    in.depends,
	}
	err := s.dir.WriteResult(result)
	if err == nil {
		result.Inputs = in.list()
		err = s.dir.WriteBuildInfo(result)
	}
	if err == nil {
		err = s.dir.RemoveFailure(in.hash)
	}
	if err != nil {
		s.cannotStore(err)
	}
	return err == nil
}

// storeFailure records that t has failed because of err, unless its command did not
// run, or its inputs changed while it ran.
func (s *session) storeFailure(ctx context.Context, t *manifest.Task, in *inputs, err error) {
	if !errors.As(err, new(*failure)) || len(in.unsure) > 0 || s.changed(ctx, t, in) != "" {
		return
	}
	if err := s.dir.WriteFailure(t.Name, in.hash); err != nil {
		s.cannotStore(err)
	}
}

// remember records that t was skipped with a stored result, which is its last success
// from now on: its outputs are at the targets.
func (s *session) remember(t *manifest.Task, v *verdict) {
	if v.last == nil || v.last.InputHash != v.result.InputHash {
		last := *v.result
		last.TaskName, last.Inputs = t.Name, v.inputs.list()
		if err := s.dir.WriteBuildInfo(&last); err != nil {
			s.cannotStore(err)
		}
	}
	s.dir.Used(t.Name, v.inputs.hash)
}

// storeFiles stores the contents of the outputs that are files, unless the store has them.
func (s *session) storeFiles(outputs []dotsame.Output) error {
	modes := dotsame.BlobModes(outputs)
	return s.parallel(len(outputs), func(next func() (int, int, bool)) error {
		for from, to, ok := next(); ok; from, to, ok = next() {
			for _, o := range outputs[from:to] {
				if err := s.storeFile(o, modes[o.Digest]); err != nil {
					return fmt.Errorf("storing %s: %w", o.Path, err)
				}
			}
		}
		return nil
	})
}

// storeFile stores the contents of o with the permissions mode, unless the store has
// them. Directories and links have no contents.
func (s *session) storeFile(o dotsame.Output, mode fs.FileMode) error {
	if o.Type != dotsame.TypeFile {
		return nil
	}
	if is, err := s.dir.KeepBlob(o.Digest, o.Size, mode); is || err != nil {
		return err
	}
	return s.at(o.Path, func(dir *disk.Dir, name string) error {
		f, err := dir.OpenFile(name)
		if err != nil {
			return fmt.Errorf("the file has changed: %v", err) // not %w: .same can be written
		}
		defer f.Close()
		err = s.dir.PutBlob(f, o.Digest, o.Size, mode)
		if errors.Is(err, dotsame.ErrBadBlob) {
			return errors.New("the file is still being written")
		}
		return err
	})
}

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

// storeMissing stores outputs that are in place but missing from the store. If it
// fails, only later runs are affected.
func (s *session) storeMissing(outputs []dotsame.Output) {
	if err := s.storeFiles(outputs); err != nil {
		s.cannotStore(err)
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
	err = s.dir.GetBlob(f, o.Digest)
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
		return s.dir.GetBlob(f, o.Digest)
	})
}
