package engine

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"cachekey/internal/digest"
	"cachekey/internal/manifest"
)

// A schedule gives every task its turn: when all that it depends on is done.
type schedule struct {
	r       *Runner
	checks  *gate // our own work, bounded by the cores
	jobs    *gate // the tasks' work, bounded by --jobs
	tasks   []*manifest.Task
	place   map[string]int              // of a task in tasks
	waits   map[string]int              // how many dependencies a task still waits for
	waiting map[string][]*manifest.Task // which tasks wait for it
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	results map[string]result
	stop    bool // no task is to start any more
	summary Summary
}

func newSchedule(r *Runner, tasks []*manifest.Task) *schedule {
	s := &schedule{
		r: r, tasks: tasks, place: make(map[string]int, len(tasks)),
		checks: newGate(min(runtime.GOMAXPROCS(0), r.Jobs)), jobs: newGate(r.Jobs),
		waits: make(map[string]int), waiting: make(map[string][]*manifest.Task), results: make(map[string]result),
	}
	for i, t := range tasks {
		s.place[t.Name] = i
		s.waits[t.Name] = len(t.DependsOn)
		for _, d := range t.DependsOn {
			s.waiting[d] = append(s.waiting[d], t)
		}
	}
	return s
}

func (s *schedule) run(ctx context.Context) {
	for _, t := range s.tasks {
		if len(t.DependsOn) == 0 {
			s.start(ctx, t)
		}
	}
	s.running.Wait()
	slices.Sort(s.summary.Failed)
	s.summary.NotRun = len(s.tasks) - s.summary.Ran - s.summary.Cached - len(s.summary.Failed)
}

func (s *schedule) start(ctx context.Context, t *manifest.Task) {
	check := s.checks.enter(s.place[t.Name])
	s.running.Go(func() {
		res := s.do(ctx, t, check)
		for _, next := range s.finish(t, res) {
			s.start(ctx, next)
		}
	})
}

func (s *schedule) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop
}

// depends gives what each of t's dependencies counts by.
func (s *schedule) depends(t *manifest.Task) map[string]digest.Digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	depends := make(map[string]digest.Digest, len(t.DependsOn))
	for _, d := range t.DependsOn {
		depends[d] = s.results[d].digest
	}
	return depends
}

// finish takes down what came of t and gives the tasks whose turn it is now.
func (s *schedule) finish(t *manifest.Task, res result) (next []*manifest.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[t.Name] = res
	switch {
	case errors.Is(res.err, errNotStarted):
		return nil
	case res.err != nil:
		s.summary.Failed = append(s.summary.Failed, t.Name)
		s.stop = s.stop || !s.r.KeepGoing
		return nil
	case res.cached:
		s.summary.Cached++
		s.summary.Saved += res.saved
	default:
		s.summary.Ran++
	}
	for _, w := range s.waiting[t.Name] {
		if s.waits[w.Name]--; s.waits[w.Name] == 0 {
			next = append(next, w)
		}
	}
	return next
}
