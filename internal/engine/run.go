package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// A Summary is what came of a run.
type Summary struct {
	Ran, Cached, NotRun int
	Failed              []string      // the tasks' names, sorted
	Took, Saved         time.Duration // Saved: how long the skipped tasks once ran
}

// ErrTasksFailed says that not every task succeeded. People have been told
// which.
var ErrTasksFailed = errors.New("not every task succeeded")

// Run runs tasks, which come in dependency order with all that they depend on.
func (r *Runner) Run(ctx context.Context, tasks []*manifest.Task) (Summary, error) {
	start := time.Now()
	r.dir = dotsame.Open(r.Workspace.Root)
	unlock, err := r.lock(ctx)
	if err != nil {
		return Summary{}, err
	}
	defer unlock()
	_ = r.dir.ClearTemp() // what can't be removed is in nobody's way
	_ = r.dir.IgnoreInGit()
	if err := r.open(); err != nil {
		return Summary{}, err
	}
	defer r.close()
	s := newSchedule(r, tasks)
	s.run(ctx)
	s.summary.Took = time.Since(start)
	r.Report.Done(s.summary)
	switch {
	case ctx.Err() != nil:
		return s.summary, errInterrupted
	case len(s.summary.Failed) > 0:
		return s.summary, ErrTasksFailed
	}
	return s.summary, nil
}

// A result is what came of one task.
type result struct {
	err    error
	cached bool
	digest digest.Digest // what the tasks that depend on it count it by
	saved  time.Duration
}

// do skips or runs one task whose dependencies are done, and whose way through
// the gate of checks was asked for. stopped says whether nothing is to start
// any more.
func (s *schedule) do(ctx context.Context, t *manifest.Task, check <-chan struct{}) result {
	stopped := func() bool { return ctx.Err() != nil || s.stopped() }
	<-check
	in, res := s.r.check(ctx, t, s.depends(t), stopped)
	if res != nil {
		s.checks.leave()
		return *res
	}
	perform := s.jobs.enter(s.place[t.Name])
	s.checks.leave()
	select {
	case <-perform:
	default:
		in.match = nil // of all the tasks that wait, the lists of files would fill the memory
		<-perform
	}
	defer s.jobs.leave()
	if stopped() {
		return result{err: errNotStarted}
	}
	return s.r.perform(ctx, t, in)
}

var errNotStarted = errors.New("not started")

// check finds t's inputs and skips t if it can be skipped: then, or when
// something is wrong, there is a result.
func (r *Runner) check(ctx context.Context, t *manifest.Task, depends map[string]digest.Digest, stopped func() bool) (*inputs, *result) {
	if stopped() {
		return nil, &result{err: errNotStarted}
	}
	start := time.Now()
	in, err := r.inputsOf(ctx, t, depends)
	if err != nil {
		if ctx.Err() != nil {
			return nil, &result{err: errNotStarted}
		}
		r.Report.Failed(t.Name, time.Since(start), err)
		return nil, &result{err: err}
	}
	if r.NoCache || t.Rebuild == manifest.Always {
		return in, nil
	}
	info := r.remembered(t, in.hash)
	if info == nil {
		return in, nil
	}
	if err := r.bringBack(ctx, t, in, info); err != nil {
		if ctx.Err() != nil {
			return nil, &result{err: errNotStarted}
		}
		r.warnf("task %q runs although its inputs have not changed: %v", t.Name, err)
		return in, nil
	}
	r.dir.Used(t.Name)
	r.Report.Cached(t.Name)
	return nil, &result{cached: true, saved: info.Duration(), digest: in.result(t, info.Outputs)}
}

// result is what the tasks that depend on t count it by.
func (in *inputs) result(t *manifest.Task, outputs []dotsame.Output) digest.Digest {
	if len(t.Targets) == 0 {
		return in.hash
	}
	return dotsame.ResultHash(outputs)
}

// made is what a run of a task came to.
type made struct {
	outputs []dotsame.Output
	aside   []dotsame.Output // what was at its targets before, and is not known to be its own
	stayed  error            // why something of that could not be moved: then nobody can tell the outputs from it
}

// perform runs t for real.
func (r *Runner) perform(ctx context.Context, t *manifest.Task, in *inputs) result {
	start := time.Now()
	if in.match == nil {
		if err := r.look(ctx, t, in); err != nil {
			r.Report.Failed(t.Name, time.Since(start), err)
			return result{err: err}
		}
	}
	out := r.Report.Started(t.Name)
	m, err := r.make(ctx, t, in, out)
	defer func() { r.settle(t, m.aside, m.outputs) }()
	took := time.Since(start)
	if err != nil {
		r.Report.Failed(t.Name, took, err)
		return result{err: err}
	}
	if m.stayed != nil {
		r.warnf("task %q will run again next time: %v", t.Name, m.stayed)
	} else if !r.remember(ctx, t, in, m.outputs, took) {
		r.leave(t)
	}
	r.Report.Completed(t.Name, took)
	return result{digest: in.result(t, m.outputs)}
}

func (r *Runner) make(ctx context.Context, t *manifest.Task, in *inputs, out Output) (m made, err error) {
	defer out.Close()
	var tools []string
	if len(t.Tools) > 0 {
		resolution, err := r.Resolver.Resolve(ctx, t.Tools)
		if err == nil {
			tools, err = r.Resolver.Environment(ctx, t.Tools, resolution)
		}
		if err != nil {
			return m, err
		}
	}
	if m.aside, m.stayed, err = r.clean(ctx, t, in); err != nil {
		return m, err
	}
	err = r.execute(ctx, t, r.environment(t, tools), out)
	r.files.Changed()
	if err == nil {
		if m.outputs, err = r.scan(ctx, t); err != nil {
			err = fmt.Errorf("the command succeeded, but %w", err)
		}
	}
	if err != nil && m.stayed == nil {
		r.leave(t)
	}
	return m, err
}
