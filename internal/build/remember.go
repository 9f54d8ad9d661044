package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"cachekey/internal/manifest"
	"cachekey/internal/samedir"
)

// clean removes t's outputs of its last success before it runs again, as far as
// they are still what they were, so that the store has them: else a file that
// the task no longer makes would stay in a target for ever. Inputs stay.
func (r *Runner) clean(ctx context.Context, t *manifest.Task, in *inputs) error {
	if len(t.Targets) == 0 {
		return nil
	}
	r.sweep(ctx, t, in)
	have, _, err := r.scanPresent(ctx, t)
	if err != nil {
		return err
	}
	var made []samedir.Output
	if info, err := r.dir.ReadBuildInfo(t.Name); err == nil && info != nil {
		made = info.Outputs
	}
	r.removeAll(same(have, made), in)
	return nil
}

// same gives what is in both of two sorted lists.
func same(a, b []samedir.Output) (both []samedir.Output) {
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

// removeAll removes outputs, but neither inputs nor what is below a directory
// and not among them.
func (r *Runner) removeAll(outputs []samedir.Output, in *inputs) {
	for _, o := range slices.Backward(outputs) { // what a directory holds comes before it
		if !in.has(o.Path) {
			_ = os.Remove(r.dir.Path(o.Path)) // a directory with something else in it stays
			r.tree.ChangedPath(o.Path)
		}
	}
}

// remember keeps what t made and what it made it of. Nothing that goes wrong
// here is t's fault: it has succeeded, and will run again next time.
func (r *Runner) remember(ctx context.Context, t *manifest.Task, in *inputs, outputs []samedir.Output, took time.Duration) {
	if changed := r.changed(ctx, t, in); changed != "" {
		r.Warnf("task %q will run again next time: its input %s changed while it ran", t.Name, changed)
		return
	}
	for _, o := range outputs {
		if o.Type != samedir.TypeFile {
			continue
		}
		if err := r.keep(o); err != nil {
			r.cannotRemember(fmt.Errorf("task %q: keeping %s: %w", t.Name, o.Path, err))
			return
		}
	}
	info := &samedir.BuildInfo{
		TaskName:   t.Name,
		InputHash:  in.hash.String(),
		OutputHash: samedir.OutputHash(outputs).String(),
		Timestamp:  time.Now().UTC().Truncate(time.Second),
		Schema:     samedir.BuildInfoSchema,
		DurationMS: took.Milliseconds(),
		Outputs:    outputs,
		Recipe:     in.recipe,
		Depends:    in.depends,
		Inputs:     in.remembered(),
	}
	if err := r.dir.WriteBuildInfo(info); err != nil {
		r.cannotRemember(err)
	}
}

// keep puts one output into the store.
func (r *Runner) keep(o samedir.Output) error {
	if r.dir.HasBlob(o.Digest, o.Size) {
		return nil
	}
	f, err := os.Open(r.dir.Path(o.Path))
	if err != nil {
		return err
	}
	defer f.Close()
	err = r.dir.PutBlob(f, o.Digest, o.Size)
	if errors.Is(err, samedir.ErrBadBlob) {
		return errors.New("it is still being written")
	}
	return err
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
