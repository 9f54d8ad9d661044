package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/nixenv"
)

// A Summary is the result of a run.
type Summary struct {
	Ran, Cached, NotRun int
	Failed, Interrupted []string      // the tasks' names, sorted
	Took, Saved         time.Duration // Saved: how long the last runs of the skipped tasks took
}

// ErrTasksFailed reports that a task failed. The Reporter has printed which.
var ErrTasksFailed = errors.New("not every task succeeded")

var (
	errInterrupted = errors.New("interrupted")
	errNotStarted  = errors.New("not started")
)

// Run runs tasks, which come in dependency order with every task that they
// depend on.
func (c Config) Run(ctx context.Context, tasks []*manifest.Task) (Summary, error) {
	start := time.Now()
	s := newSession(c)
	unlock, err := s.lock(ctx)
	if err != nil {
		return Summary{}, err
	}
	defer unlock()
	_ = s.dir.ClearTemp() // a file that can't be removed does no harm
	_ = s.dir.BoundAside(start)
	_ = s.dir.IgnoreInGit()
	if err := s.open(); err != nil {
		return Summary{}, err
	}
	defer s.close(true)
	adoptOrphans()
	defer s.groups.stopWithUs()()
	s.startToolchains(ctx, tasks)
	r := newRun(s, tasks)
	r.all(ctx)
	if len(r.summary.Failed) > 0 {
		_ = s.dir.BoundFailures(start) // the next run that fails removes what is left
	}
	r.summary.Took = time.Since(start)
	s.Report.Done(r.summary)
	s.collect(ctx, start)
	switch {
	case ctx.Err() != nil:
		return r.summary, errInterrupted
	case len(r.summary.Failed) > 0:
		return r.summary, ErrTasksFailed
	}
	return r.summary, nil
}

// A run is a session that starts each task when those that it depends on are
// done.
type run struct {
	*session
	checks  *gate // our own work: at most one task per core
	jobs    *gate // the tasks' work: at most Config.Jobs
	order   []*manifest.Task
	place   map[string]int              // in order
	missing map[string]int              // how many dependencies of a task are not done
	waiting map[string][]*manifest.Task // the tasks that wait for a task
	running sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	outcomes map[string]outcome
	stop     bool // start no more tasks
	summary  Summary
}

// An outcome is the result of one task.
type outcome struct {
	err    error
	cached bool
	digest digest.Digest // counts among the inputs of tasks that depend on it
	saved  time.Duration
}

func newRun(s *session, tasks []*manifest.Task) *run {
	r := &run{
		session: s, order: tasks, place: make(map[string]int, len(tasks)),
		checks: newGate(min(runtime.GOMAXPROCS(0), s.Jobs)), jobs: newGate(s.Jobs),
		missing: make(map[string]int), waiting: make(map[string][]*manifest.Task), outcomes: make(map[string]outcome),
	}
	for i, t := range tasks {
		r.place[t.Name] = i
		r.missing[t.Name] = len(t.DependsOn)
		for _, d := range t.DependsOn {
			r.waiting[d] = append(r.waiting[d], t)
		}
	}
	return r
}

// all runs every task and fills in the summary.
func (r *run) all(ctx context.Context) {
	for _, t := range r.order {
		if len(t.DependsOn) == 0 {
			r.start(ctx, t)
		}
	}
	r.running.Wait()
	slices.Sort(r.summary.Failed)
	slices.Sort(r.summary.Interrupted)
	r.summary.NotRun = len(r.order) - r.summary.Ran - r.summary.Cached - len(r.summary.Failed) - len(r.summary.Interrupted)
}

func (r *run) start(ctx context.Context, t *manifest.Task) {
	turn := r.checks.enter(r.place[t.Name])
	r.running.Go(func() {
		<-turn
		r.awaitToolchain(ctx, t)
		res := r.do(ctx, t)
		for _, next := range r.finish(t, res) {
			r.start(ctx, next)
		}
	})
}

// awaitToolchain waits for the toolchain commands of t. Meanwhile it reads what check
// will need, and lets other tasks through the gate of checks.
func (r *run) awaitToolchain(ctx context.Context, t *manifest.Task) {
	if r.answered(t) {
		return
	}
	if patterns, err := files.Compile(t.Inputs, t.Targets); err == nil {
		_, _ = r.files.Match(ctx, patterns) // the index remembers it; check reports its error
	}
	r.readAhead(t)
	r.checks.leave()
	_ = r.awaitAnswers(ctx, t) // check sees that ctx is done
	<-r.checks.enter(r.place[t.Name])
}

// do skips or runs a task that has entered the gate of checks, and leaves it.
func (r *run) do(ctx context.Context, t *manifest.Task) outcome {
	in, res := r.check(ctx, t)
	if res != nil {
		r.checks.leave()
		return *res
	}
	turn := r.jobs.enter(r.place[t.Name])
	r.checks.leave()
	select {
	case <-turn:
	default:
		in.match = nil // the lists of files of all waiting tasks would fill the memory
		<-turn
	}
	defer r.jobs.leave()
	if r.stopped(ctx) {
		return outcome{err: errNotStarted}
	}
	return r.perform(ctx, t, in)
}

// check skips t if it can be skipped. It returns an outcome then and when it
// fails; otherwise t has to run, with the inputs that it returns.
func (r *run) check(ctx context.Context, t *manifest.Task) (*inputs, *outcome) {
	if r.stopped(ctx) {
		return nil, &outcome{err: errNotStarted}
	}
	start := time.Now()
	v, err := r.decide(ctx, t, r.depends(t), forecast{})
	switch {
	case ctx.Err() != nil:
		return nil, &outcome{err: errNotStarted}
	case err != nil:
		r.Report.Failed(t.Name, time.Since(start), err)
		return nil, &outcome{err: err}
	}
	r.warnOfInputs(t, v.inputs)
	if v.state != Cached {
		return v.inputs, nil
	}
	err = r.restore(ctx, t, v)
	switch {
	case err == nil:
		r.remember(t, v)
		r.Report.Cached(t.Name, r.replay(v.result.Log))
		return nil, &outcome{cached: true, saved: v.result.Duration(), digest: v.digest}
	case ctx.Err() != nil:
		return nil, &outcome{err: errNotStarted}
	}
	r.Report.RunsAgain(t.Name, err)
	return v.inputs, nil
}

// perform runs t.
func (s *session) perform(ctx context.Context, t *manifest.Task, in *inputs) outcome {
	start := time.Now()
	if in.match == nil {
		if err := s.find(ctx, t, in, forecast{}); ctx.Err() != nil {
			return outcome{err: errNotStarted}
		} else if err != nil {
			s.Report.Failed(t.Name, time.Since(start), err)
			return outcome{err: err}
		}
	}
	out := s.Report.Started(t.Name)
	rec := s.recorder(t)
	defer rec.Close()
	made, cleared, err := s.execute(ctx, t, in, out, rec)
	if err != nil && ctx.Err() != nil {
		err = errInterrupted // which caused err
	}
	defer func() { s.reportAside(t, cleared.aside, made.outputs) }()
	took := time.Since(start)
	switch {
	case errors.Is(err, errInterrupted):
		s.Report.Interrupted(t.Name, took)
		return outcome{err: err}
	case err != nil:
		s.storeFailure(ctx, t, in, err)
		s.Report.Failed(t.Name, took, err)
		return outcome{err: err}
	}
	switch {
	case cleared.stuck != nil:
		s.warnf("task %q will run again next time: %v", t.Name, cleared.stuck)
	case made.unstorable != nil:
		s.warnf("task %q will run again next time: its outputs can't be stored: %v", t.Name, made.unstorable)
		_ = s.recordLeftovers(t)
	case !s.store(ctx, t, in, made.outputs, took, rec):
		_ = s.recordLeftovers(t)
	}
	s.Report.Completed(t.Name, time.Since(start))
	if made.unstorable != nil {
		return outcome{digest: unknownResult(made.outputs)}
	}
	return outcome{digest: in.result(t, made.outputs)}
}

// unknownResult returns a digest of outputs that can't all be stored. If one can't be
// read either, no other run has the same digest.
func unknownResult(outputs []dotsame.Output) digest.Digest {
	for _, o := range outputs {
		if o.Type == files.TypeUnreadable || o.Type == files.TypeUnreadableDir {
			return digest.Of([]byte(rand.Text()))
		}
	}
	return dotsame.ResultHash(slices.DeleteFunc(slices.Clone(outputs), func(o dotsame.Output) bool { return !files.Storable(o) }))
}

// execute runs t's command with its tools, at empty targets, and returns the outputs. What
// the command prints goes to out, and to rec unless that is nil.
func (s *session) execute(ctx context.Context, t *manifest.Task, in *inputs, out Output, rec *recorder) (made listing, c cleared, err error) {
	defer out.Close()
	var tools []string
	if len(t.Tools) > 0 {
		tools, err = s.Resolver.Environment(ctx, t.Tools, in.tools)
		if errors.Is(err, nixenv.ErrOtherDerivation) {
			s.unknownTools(t, in, in.tools.Unresolved(nixenv.ErrOtherDerivation))
			in.sum()
			tools, err = s.Resolver.Environment(ctx, t.Tools, in.tools)
		}
		if err != nil {
			return made, c, err
		}
	}
	if c, err = s.emptyTargets(ctx, t, in); err != nil {
		return made, c, err
	}
	var to io.Writer = out
	if rec != nil {
		to = io.MultiWriter(out, rec)
	}
	err = s.runCommand(ctx, t, s.environment(t, tools), to)
	s.files.Changed()
	s.system.Changed()
	s.programChanged()
	if err == nil {
		if made, err = s.scan(ctx, t); err == nil {
			err = made.missing
		}
		if err != nil {
			err = &failure{fmt.Errorf("the command succeeded, but %w", err)}
			if behindLink(err) != nil {
				err = message.WithHint(err, "%s", bindMount)
			}
		}
	}
	if err != nil && c.stuck == nil && isFull(s.recordLeftovers(t)) {
		// Without a list, the next run would move them aside, and the disk would stay full.
		if left, scanErr := s.scan(context.WithoutCancel(ctx), t); scanErr == nil {
			s.clear(in, left.outputs, left.outputs)
			s.warnf("task %q: the disk is full: removed what the failed command left at its targets", t.Name)
		}
	}
	return made, c, err
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// finish records the outcome of t and returns the tasks that can start now.
func (r *run) finish(t *manifest.Task, res outcome) (next []*manifest.Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[t.Name] = res
	switch {
	case errors.Is(res.err, errNotStarted):
		return nil
	case errors.Is(res.err, errInterrupted):
		r.summary.Interrupted = append(r.summary.Interrupted, t.Name)
		return nil
	case res.err != nil:
		r.summary.Failed = append(r.summary.Failed, t.Name)
		r.stop = r.stop || !r.KeepGoing
		return nil
	case res.cached:
		r.summary.Cached++
		r.summary.Saved += res.saved
	default:
		r.summary.Ran++
	}
	for _, w := range r.waiting[t.Name] {
		if r.missing[w.Name]--; r.missing[w.Name] == 0 {
			next = append(next, w)
		}
	}
	return next
}

// stopped reports whether no more tasks are started.
func (r *run) stopped(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop || ctx.Err() != nil
}

// depends returns the digests of the results of t's dependencies.
func (r *run) depends(t *manifest.Task) map[string]digest.Digest {
	r.mu.Lock()
	defer r.mu.Unlock()
	depends := make(map[string]digest.Digest, len(t.DependsOn))
	for _, d := range t.DependsOn {
		depends[d] = r.outcomes[d].digest
	}
	return depends
}
