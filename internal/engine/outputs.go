package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
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

// storeMissing stores outputs that are in place but missing from the store. If it
// fails, only later runs are affected.
func (s *session) storeMissing(outputs []dotsame.Output) {
	if err := s.storeFiles(outputs); err != nil {
		s.cannotStore(err)
	}
}
