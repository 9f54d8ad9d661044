package engine

import (
	"context"
	"errors"

	"cachekey/internal/dotsame"
)

// lock makes this the only run of its workspace. It waits for another run, and
// for tasks that a killed run has left running: they may write to the same
// targets. A .same that cannot be written needs no lock.
func (r *Runner) lock(ctx context.Context) (unlock func(), err error) {
	lock, err := r.dir.Lock(ctx, r.Report.Waiting)
	switch {
	case err == nil:
		r.held = lock.File()
		return lock.Unlock, nil
	case ctx.Err() != nil, errors.Is(err, dotsame.ErrOwnTask):
		return nil, err
	case errors.Is(err, dotsame.ErrNoLocks):
		r.warnf("%v; do not run same twice at once here", err)
	default:
		r.cannotRemember(err)
	}
	return func() {}, nil
}
