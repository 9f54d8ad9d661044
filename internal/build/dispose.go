package build

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"

	"cachekey/internal/manifest"
	"cachekey/internal/samedir"
)

// clean empties t's targets before it runs, as if it had never run here: a file
// that it no longer makes would else stay among its outputs for ever. It gives
// what it put aside.
func (r *Runner) clean(ctx context.Context, t *manifest.Task, in *inputs) (aside []samedir.Output, err error) {
	if len(t.Targets) == 0 {
		return nil, nil
	}
	r.sweep(ctx, t, in)
	have, _, err := r.scanPresent(ctx, t)
	if err != nil {
		return nil, err
	}
	var made []samedir.Output
	if info, err := r.dir.ReadBuildInfo(t.Name); err == nil && info != nil {
		made = info.Outputs
	}
	return r.dispose(t, in, have, made), nil
}

// dispose removes what is at t's targets and must not stay there. What t is
// known to have made is gone then; so is what the store has. Anything else may
// be somebody's work, at a target that was badly chosen: it is put aside.
func (r *Runner) dispose(t *manifest.Task, in *inputs, outputs, made []samedir.Output) (aside []samedir.Output) {
	known := make(map[string]samedir.Output, len(made))
	for _, o := range made {
		known[o.Path] = o
	}
	r.writable(outputs)
	for _, o := range slices.Backward(outputs) { // what a directory holds comes before it
		if in.has(o.Path) {
			continue
		}
		r.files.ChangedPath(o.Path)
		var err error
		switch {
		case o.Type == samedir.TypeDir:
			_ = os.Remove(r.dir.Path(o.Path)) // unless something stays in it
		case known[o.Path] == o, r.stored(o):
			err = os.Remove(r.dir.Path(o.Path))
		default:
			if err = r.putAside(o); err == nil {
				aside = append(aside, o)
			}
		}
		if err != nil {
			r.warnf("task %q: %s is in the way of its target: %v", t.Name, o.Path, err)
		}
	}
	return aside
}

// writable lets the entries of these directories be removed and replaced.
func (r *Runner) writable(outputs []samedir.Output) {
	for _, o := range outputs {
		if o.Type == samedir.TypeDir && o.Mode&0o300 != 0o300 {
			_ = os.Chmod(r.dir.Path(o.Path), o.Mode.Perm()|0o700) // what then can't be done says so
		}
	}
}

func (r *Runner) stored(o samedir.Output) bool {
	return o.Type == samedir.TypeFile && r.dir.HasBlob(o.Digest, o.Size)
}

func (r *Runner) putAside(o samedir.Output) error {
	to := r.dir.Path(path.Join(r.aside, o.Path))
	if err := os.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(r.dir.Path(o.Path), to)
}

// settle looks again at what was put aside, now that t's targets are made: what
// came out the same is no loss. Of the rest people are told.
func (r *Runner) settle(t *manifest.Task, aside, outputs []samedir.Output) {
	var left []samedir.Output
	for _, o := range aside {
		if !r.stored(o) && !slices.Contains(outputs, o) {
			left = append(left, o)
			continue
		}
		_ = os.Remove(r.dir.Path(path.Join(r.aside, o.Path)))
		for dir := path.Dir(path.Join(r.aside, o.Path)); dir != samedir.Local; dir = path.Dir(dir) {
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
	r.warnf("task %q: %s%s lay at its targets, and no run of it made that; it is now below %s", t.Name, left[0].Path, more, r.aside)
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
