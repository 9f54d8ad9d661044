package build

import (
	"context"
	"os"
	"path"
	"slices"

	"cachekey/internal/manifest"
	"cachekey/internal/samedir"
)

// clean empties t's targets before it runs, as if it had never run here: a file
// that it no longer makes would else stay among its outputs for ever.
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
	r.dispose(t, in, have, made)
	return nil
}

// dispose removes what is at t's targets and must not stay there. What t is
// known to have made is gone then; so is what the store has. Anything else may
// be somebody's work, at a target that was badly chosen: it is put aside, and
// people are told where.
func (r *Runner) dispose(t *manifest.Task, in *inputs, outputs, made []samedir.Output) {
	known := make(map[string]samedir.Output, len(made))
	for _, o := range made {
		known[o.Path] = o
	}
	for _, o := range slices.Backward(outputs) { // what a directory holds comes before it
		if in.has(o.Path) {
			continue
		}
		r.tree.ChangedPath(o.Path)
		switch {
		case o.Type == samedir.TypeDir:
			_ = os.Remove(r.dir.Path(o.Path)) // unless something stays in it
		case known[o.Path] == o, o.Type == samedir.TypeFile && r.dir.HasBlob(o.Digest, o.Size):
			if err := os.Remove(r.dir.Path(o.Path)); err != nil {
				r.Warnf("task %q: %s is in the way of its target: %v", t.Name, o.Path, err)
			}
		default:
			r.putAside(t, o)
		}
	}
}

func (r *Runner) putAside(t *manifest.Task, o samedir.Output) {
	to := path.Join(r.aside, o.Path)
	err := os.MkdirAll(path.Dir(r.dir.Path(to)), 0o755)
	if err == nil {
		err = os.Rename(r.dir.Path(o.Path), r.dir.Path(to))
	}
	if err != nil {
		r.Warnf("task %q: %s is in the way of its target: %v", t.Name, o.Path, err)
		return
	}
	r.Warnf("task %q: %s lay at its target and is not known to be made by it; it is now %s", t.Name, o.Path, to)
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
