package build

import (
	"context"
	"encoding/json"
	"path"
	"slices"

	"cachekey/internal/manifest"
	"cachekey/internal/samedir"
)

// An attempt is what is written down in .same/local while a task runs, and
// kept unless its success is remembered: what lay at its targets before, and, unless the
// run was killed, what it left there. Without it the half of an output that a
// failed run left would become part of the next one's.
type attempt struct {
	Before []string         `json:"before"`
	Ended  bool             `json:"ended"`
	Left   []samedir.Output `json:"left"`
}

const attempts = samedir.Local + "/attempts"

func attemptPath(t *manifest.Task) string { return path.Join(attempts, samedir.InfoName(t.Name)) }

// begin writes down that t is about to run.
func (r *Runner) begin(ctx context.Context, t *manifest.Task) {
	if len(t.Targets) == 0 {
		return
	}
	var a attempt
	have, _, err := r.scanPresent(ctx, t)
	if err != nil {
		return
	}
	for _, o := range have {
		a.Before = append(a.Before, o.Path)
	}
	r.note(t, a)
}

// failed writes down what t, whose success nothing is remembered of, left at its targets.
func (r *Runner) failed(t *manifest.Task) {
	data, err := r.dir.ReadFile(attemptPath(t), samedir.MaxBuildInfo)
	var a attempt
	if err != nil || json.Unmarshal(data, &a) != nil {
		return
	}
	have, _, err := r.scanPresent(context.Background(), t) // the run may be on its way out
	if err != nil {
		return
	}
	a.Ended, a.Left = true, nil
	for _, o := range have {
		if !slices.Contains(a.Before, o.Path) {
			a.Left = append(a.Left, o)
		}
	}
	r.note(t, a)
}

func (r *Runner) note(t *manifest.Task, a attempt) {
	data, err := json.Marshal(a)
	if err == nil {
		err = r.dir.WriteFile(attemptPath(t), data)
	}
	if err != nil {
		r.cannotRemember(err)
	}
}

// succeeded forgets the attempt.
func (r *Runner) succeeded(t *manifest.Task) {
	if len(t.Targets) > 0 {
		_ = r.dir.Remove(attemptPath(t)) // if it can't be, it could not be written either
	}
}

// sweep removes what an attempt at t that did not succeed left at its targets.
func (r *Runner) sweep(ctx context.Context, t *manifest.Task, in *inputs) {
	data, err := r.dir.ReadFile(attemptPath(t), samedir.MaxBuildInfo)
	if err != nil {
		return
	}
	var a attempt
	if json.Unmarshal(data, &a) == nil {
		have, _, err := r.scanPresent(ctx, t)
		if err != nil {
			return
		}
		if a.Ended {
			have = same(have, a.Left)
		} else {
			slices.Sort(a.Before)
			have = slices.DeleteFunc(have, func(o samedir.Output) bool {
				_, before := slices.BinarySearch(a.Before, o.Path)
				return before
			})
		}
		_ = r.dispose(t, in, have, have) // none is put aside: all of it is the attempt's
	}
	r.succeeded(t)
}
