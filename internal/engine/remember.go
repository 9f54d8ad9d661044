package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// remember keeps what t made and what it made it of. Nothing that goes wrong
// here is t's fault: it has succeeded, and will run again next time. It says
// whether all went well.
func (r *Runner) remember(ctx context.Context, t *manifest.Task, in *inputs, outputs []dotsame.Output, took time.Duration) bool {
	if changed := r.changed(ctx, t, in); changed != "" {
		r.warnf("task %q will run again next time: its input %s changed while it ran", t.Name, changed)
		return false
	}
	for _, o := range outputs {
		if o.Type != dotsame.TypeFile {
			continue
		}
		if err := r.keep(o); err != nil {
			r.cannotRemember(fmt.Errorf("task %q: keeping %s: %w", t.Name, o.Path, err))
			return false
		}
	}
	info := &dotsame.BuildInfo{
		TaskName:   t.Name,
		InputHash:  in.hash.String(),
		OutputHash: dotsame.OutputHash(outputs).String(),
		Timestamp:  time.Now().UTC().Truncate(time.Second),
		Schema:     dotsame.BuildInfoSchema,
		DurationMS: took.Milliseconds(),
		Outputs:    outputs,
		Recipe:     in.recipe,
		Depends:    in.depends,
		Inputs:     in.remembered(),
	}
	if err := r.dir.WriteBuildInfo(info); err != nil {
		r.cannotRemember(err)
		return false
	}
	return true
}

// heal gives the store back the blobs that it has lost, from outputs that are
// in place. What fails here costs a later run, not this one.
func (r *Runner) heal(outputs []dotsame.Output) {
	for _, o := range outputs {
		if o.Type == dotsame.TypeFile {
			if err := r.keep(o); err != nil {
				r.cannotRemember(err)
				return
			}
		}
	}
}

// keep puts one output into the store.
func (r *Runner) keep(o dotsame.Output) error {
	if r.dir.HasBlob(o.Digest, o.Size) {
		return nil
	}
	return r.at(o.Path, func(dir *disk.Dir, name string) error {
		f, err := dir.OpenFile(name)
		if err != nil {
			return fmt.Errorf("it is not what it was: %v", err) // not %w: .same can be written
		}
		defer f.Close()
		err = r.dir.PutBlob(f, o.Digest, o.Size)
		if errors.Is(err, dotsame.ErrBadBlob) {
			return errors.New("it is still being written")
		}
		return err
	})
}

// changed gives an input that is no longer what it was when t started, or "".
// What t made then may be of either, so it belongs to neither input hash.
func (r *Runner) changed(ctx context.Context, t *manifest.Task, in *inputs) string {
	now, err := r.match(ctx, t)
	if err != nil {
		return err.Error()
	}
	before, after := in.match.Found, now.Found
	for i := range max(len(before), len(after)) {
		switch {
		case i >= len(after) || i < len(before) && before[i].Path < after[i].Path:
			return before[i].Path
		case i >= len(before) || before[i] != after[i]:
			return after[i].Path
		}
	}
	return ""
}
