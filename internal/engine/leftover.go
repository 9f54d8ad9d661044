package engine

import (
	"context"
	"encoding/json"
	"path"

	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// leftovers is where lies what a run of a task left at its targets of which
// nothing is remembered: it failed, or its inputs changed. A JSON list of
// outputs, one file a task. The targets were empty before, so all of it is the
// run's, and goes without a word when the task's turn comes again. Of a run
// that was killed there is no such file; what it left is put aside.
const leftovers = dotsame.Local + "/leftovers"

func leftoverPath(t *manifest.Task) string { return path.Join(leftovers, dotsame.InfoName(t.Name)) }

// leave writes down what t has left at its targets.
func (r *Runner) leave(t *manifest.Task) {
	if len(t.Targets) == 0 {
		return
	}
	left, _, err := r.scanPresent(context.Background(), t) // the run may be on its way out
	if err != nil || len(left) == 0 {
		return
	}
	data, err := json.Marshal(left)
	if err == nil {
		err = r.dir.WriteFile(leftoverPath(t), data)
	}
	if err != nil {
		r.cannotRemember(err)
	}
}

// sweep removes what leave has written down, as far as it is still the same.
func (r *Runner) sweep(ctx context.Context, t *manifest.Task, in *inputs) {
	data, err := r.dir.ReadFile(leftoverPath(t), dotsame.MaxBuildInfo)
	if err != nil {
		return
	}
	var left []dotsame.Output
	if json.Unmarshal(data, &left) == nil {
		have, _, err := r.scanPresent(ctx, t)
		if err != nil {
			return
		}
		left = same(have, left)
		_, _ = r.dispose(in, left, left) // puts nothing aside: all of it is known; what stays is met again
	}
	_ = r.dir.Remove(leftoverPath(t)) // if it can't be, it is read once more in vain
}
