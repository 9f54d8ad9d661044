package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// PlanSchema is the version of a plan's JSON.
const PlanSchema = 1

// A Plan describes what a run would do, as `same plan --json` prints it.
type Plan struct {
	Schema int       `json:"schema"`
	Tasks  []Planned `json:"tasks"` // in the order of a run
}

// A Planned is one task of a plan.
type Planned struct {
	Task    string   `json:"task"`
	State   State    `json:"state"`
	Reasons []Reason `json:"reasons"` // none if cached

	// ToolchainKnown means that all programs that run the task are among its inputs.
	ToolchainKnown bool `json:"toolchain_known"`
}

// Plan plans a run of tasks, which come in dependency order with every task that they
// depend on. It neither runs nor restores anything. A task that would fail is part of
// the plan.
func (c Config) Plan(ctx context.Context, tasks []*manifest.Task) (*Plan, error) {
	s := newSession(c)
	s.dry = true
	// A plan saves the digests of files for the next run, unless a run is under
	// way: it neither waits for one nor writes beside it.
	lock, err := s.dir.TryLock()
	locked := err == nil
	if locked {
		defer lock.Unlock()
		_ = s.dir.IgnoreInGit()
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	defer s.close(locked)
	s.startToolchains(ctx, tasks)
	p := &planner{session: s, targets: slices.Sorted(maps.Keys(s.makers)), verdicts: make(map[string]*verdict)}
	plan := &Plan{Schema: PlanSchema, Tasks: []Planned{}}
	for _, t := range tasks {
		v, err := p.plan(ctx, t)
		if err != nil {
			return nil, err
		}
		p.verdicts[t.Name] = v
		plan.Tasks = append(plan.Tasks, Planned{t.Name, v.state, v.reasons, s.toolchainKnown(t)})
	}
	return plan, nil
}

type planner struct {
	*session
	targets  []string // of all tasks, sorted
	verdicts map[string]*verdict
}

// plan decides about t. It fails only if ctx is done.
func (p *planner) plan(ctx context.Context, t *manifest.Task) (*verdict, error) {
	fails := &verdict{state: Fails}
	depends := make(map[string]digest.Digest)
	for _, d := range t.DependsOn {
		if p.verdicts[d].state == Fails {
			fails.reasons = append(fails.reasons, Reason{Kind: DependencyFails, Path: d})
		}
		depends[d] = p.verdicts[d].digest
	}
	if len(fails.reasons) > 0 {
		return fails, nil
	}
	v, err := p.decide(ctx, t, depends, p.forecast(t))
	switch {
	case ctx.Err() != nil:
		return nil, errInterrupted
	case err != nil:
		fails.reasons = []Reason{{Kind: Failure, Message: err.Error(), Hint: message.Hint(err)}}
		return fails, nil
	}
	p.warnOfInputs(t, v.inputs)
	v.inputs = nil // the lists of files of all tasks would fill the memory
	return v, nil
}

// A forecast describes the files at the targets of the dependencies of a planned
// task, as they will be when it is its turn. In a run the dependencies are done, so
// the zero forecast leaves every file as it is.
type forecast struct {
	planner *planner
	task    *manifest.Task
	first   map[*manifest.Task]bool // whether task depends on them
}

func (p *planner) forecast(t *manifest.Task) forecast {
	return forecast{p, t, make(map[*manifest.Task]bool)}
}

// maker returns the dependency that has p at its targets, or nil.
func (f forecast) maker(p string) *manifest.Task {
	if f.planner == nil {
		return nil
	}
	maker := f.planner.makerOf(p)
	if maker == nil {
		return nil
	}
	first, ok := f.first[maker]
	if !ok {
		first = f.planner.dependsOn(f.task, maker)
		f.first[maker] = first
	}
	if !first {
		return nil
	}
	return maker
}

// outputs returns the outputs of maker, and whether they are known before it runs.
func (f forecast) outputs(maker *manifest.Task) (list []dotsame.Output, ok bool) {
	if v := f.planner.verdicts[maker.Name]; v.state == Cached {
		return v.result.Outputs, true
	}
	return nil, false
}

// open reports whether the file at p is not known until the run.
func (f forecast) open(p string) bool {
	maker := f.maker(p)
	if maker == nil {
		return false
	}
	_, known := f.outputs(maker)
	return !known
}

// output returns the output that will be at p.
func (f forecast) output(p string) (o dotsame.Output, ok bool) {
	maker := f.maker(p)
	if maker == nil {
		return o, false
	}
	list, _ := f.outputs(maker)
	i, ok := slices.BinarySearchFunc(list, p, func(o dotsame.Output, p string) int { return strings.Compare(o.Path, p) })
	if ok {
		o = list[i]
	}
	return o, ok
}

// replace replaces the files of in that dependencies will make. It only considers
// tasks with a target above or below the base of a pattern: otherwise each task in a
// long chain would consider all tasks before it.
func (f forecast) replace(in *inputs) {
	if f.planner == nil {
		return
	}
	makers := make(map[*manifest.Task]bool)
	for _, base := range in.patterns.Bases() {
		below := ""
		if base != "" {
			below = base + "/"
			if maker := f.maker(base); maker != nil {
				makers[maker] = true
			}
		}
		i, _ := slices.BinarySearch(f.planner.targets, below)
		for ; i < len(f.planner.targets) && strings.HasPrefix(f.planner.targets[i], below); i++ {
			if maker := f.maker(f.planner.targets[i]); maker != nil {
				makers[maker] = true
			}
		}
	}
	if len(makers) == 0 {
		return
	}
	var outputs []dotsame.Output
	for maker := range makers {
		list, _ := f.outputs(maker)
		outputs = append(outputs, list...)
	}
	in.match.Replace(in.patterns, func(p string) bool { return f.maker(p) != nil }, outputs)
}
