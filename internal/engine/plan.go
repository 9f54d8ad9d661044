package engine

import (
	"context"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// PlanSchema is the version of a plan's JSON.
const PlanSchema = 1

// A Plan says what a run would do: `same plan --json` prints it.
type Plan struct {
	Schema int       `json:"schema"`
	Tasks  []Planned `json:"tasks"` // in the order of a run
}

// A Planned is one task of a plan.
type Planned struct {
	Task    string   `json:"task"`
	State   State    `json:"state"`
	Reasons []Reason `json:"reasons"` // none if cached

	// ToolchainKnown says that everything which runs the task is among its inputs.
	ToolchainKnown bool `json:"toolchain_known"`
}

// Plan says what Run would do with tasks, which come in dependency order with
// every task that they depend on. It runs and restores nothing. A task that would
// fail is part of the plan.
func (c Config) Plan(ctx context.Context, tasks []*manifest.Task) (*Plan, error) {
	s := newSession(c)
	s.dry = true
	// The next run need not hash again what is hashed here. But a plan neither
	// waits for a run that is under way nor writes beside it.
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
	p := &planner{session: s, verdicts: make(map[string]*verdict)}
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

// A forecast says what will lie at the targets of the tasks that a planned task
// waits for, when it is its turn. In a run they have their turn behind them: a
// forecast is empty there.
type forecast struct {
	targets []string         // of these tasks
	outputs []dotsame.Output // at the targets of those that are cached
	open    []string         // the targets of the others, which nobody can tell yet
}

func (p *planner) forecast(t *manifest.Task) (f forecast) {
	if len(t.Inputs) == 0 && (len(t.Command) == 0 || !strings.Contains(t.Command[0], "/")) {
		return f // nothing that it could tell
	}
	for _, dep := range p.upstream(t) {
		f.targets = append(f.targets, dep.Targets...)
		if v := p.verdicts[dep.Name]; v.state == Cached {
			f.outputs = append(f.outputs, v.result.Outputs...)
		} else {
			f.open = append(f.open, dep.Targets...)
		}
	}
	return f
}
