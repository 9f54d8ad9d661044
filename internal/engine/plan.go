package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
)

// PlanSchema is the version of a plan's JSON.
const PlanSchema = 1

// A Plan says what a run would do: what `same plan --json` prints.
type Plan struct {
	Schema int       `json:"schema"`
	Tasks  []Planned `json:"tasks"` // in the order of a run
}

// A Planned is one task of a plan.
type Planned struct {
	Task    string   `json:"task"`
	State   State    `json:"state"`
	Reasons []Reason `json:"reasons"` // none if cached
}

// A State is what a run would do with a task.
type State string

// The states. A task depends if another one runs first, and nothing but that
// one's result can make it run.
const (
	Cached  State = "cached"
	Runs    State = "run"
	Depends State = "depends"
)

// A Reason says why a task runs, or may run.
type Reason struct {
	Kind string `json:"kind"`
	Path string `json:"path,omitempty"` // of an input or output; the name of a dependency
}

// The kinds of reasons. Besides them there is one for each part of a recipe:
// command-changed, environment-changed, targets-changed, tools-changed,
// path-changed (the /nix/store entries of PATH) and system-changed.
const (
	NeverBuilt        = "never-built"
	RebuildAlways     = "rebuild-always"
	InputAdded        = "input-added"
	InputRemoved      = "input-removed"
	InputChanged      = "input-changed"
	DependencyChanged = "dependency-changed"
	DependencyRuns    = "dependency-runs" // the one of a task that depends
	OutputMissing     = "output-missing"  // neither in place nor in the store
)

// Plan says what Run would do with tasks, which come in dependency order with
// all that they depend on. It runs nothing and restores nothing.
func (r *Runner) Plan(ctx context.Context, tasks []*manifest.Task) (*Plan, error) {
	r.dir = dotsame.Open(r.Workspace.Root)
	// What is hashed here the next run need not hash again; but a plan neither
	// waits for a run that is under way nor writes beside it.
	lock, err := r.dir.TryLock()
	if err != nil {
		r.unsaved.Do(func() {})
		r.readOnly = true
	} else {
		defer lock.Unlock()
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	defer r.close()
	p := &planner{r: r, results: make(map[string]planned)}
	plan := &Plan{Schema: PlanSchema, Tasks: []Planned{}}
	for _, t := range tasks {
		res, err := p.plan(ctx, t)
		if err != nil {
			return nil, err
		}
		p.results[t.Name] = res
		plan.Tasks = append(plan.Tasks, res.Planned)
	}
	return plan, nil
}

type planner struct {
	r       *Runner
	results map[string]planned
}

// planned is what the tasks after it have to know of a task.
type planned struct {
	Planned
	task    *manifest.Task
	digest  digest.Digest    // what they count it by; zero if only a run can tell
	outputs []dotsame.Output // what will lie at its targets, unless digest is zero
	behind  map[string]bool  // all that it depends on, itself included
}

func (p *planner) plan(ctx context.Context, t *manifest.Task) (planned, error) {
	res := planned{Planned: Planned{Task: t.Name, State: Cached, Reasons: []Reason{}}, task: t, behind: map[string]bool{t.Name: true}}
	in := &inputs{depends: make(map[string]digest.Digest)}
	for _, d := range t.DependsOn {
		maps.Copy(res.behind, p.results[d].behind)
		in.depends[d] = p.results[d].digest
	}
	var err error
	if in.recipe, err = p.r.recipe(ctx, t); err != nil {
		return res, fmt.Errorf("%s: task %q: %w", t.Pos, t.Name, err)
	}
	open, err := p.match(ctx, t, in, res.behind)
	if err != nil {
		return res, err
	}
	if len(open) == 0 {
		in.sum()
	}
	info := p.reasons(&res, in, open)
	switch {
	case len(res.Reasons) > 0:
		res.State = Runs
	case len(open) > 0:
		res.State = Depends
		for _, d := range t.DependsOn {
			if p.results[d].digest.IsZero() {
				res.Reasons = append(res.Reasons, Reason{DependencyRuns, d})
			}
		}
	default:
		res.outputs = info.Outputs
	}
	switch {
	case len(open) == 0 && len(t.Targets) == 0:
		res.digest = in.hash // whether it runs or not
	case res.State == Cached:
		res.digest = in.result(t, info.Outputs)
	}
	return res, nil
}

// match finds t's inputs as they will be when its turn comes: at the targets of
// what it depends on lies what the store has. It gives the targets of which
// nobody knows yet what will lie there; without targets, "".
func (p *planner) match(ctx context.Context, t *manifest.Task, in *inputs, behind map[string]bool) (open []string, err error) {
	patterns, err := files.Compile(t.Inputs, t.Targets)
	if err != nil {
		return nil, fmt.Errorf("%s: task %q: input %w", t.Pos, t.Name, err)
	}
	if in.match, err = p.r.match(ctx, t); err != nil {
		return nil, err
	}
	for name := range behind {
		dep := p.results[name]
		if name == t.Name {
			continue
		}
		if dep.State == Cached {
			in.match.Replace(patterns, dep.task.Targets, dep.outputs)
			continue
		}
		in.match.Replace(patterns, dep.task.Targets, nil)
		open = append(open, dep.task.Targets...)
		if dep.digest.IsZero() && len(dep.task.Targets) == 0 {
			open = append(open, "")
		}
	}
	if len(open) > 0 {
		return open, nil // what matches nothing now may do so then
	}
	return nil, checkEmpty(t, in.match)
}

// reasons collects everything that makes t run whatever comes of the open
// targets.
func (p *planner) reasons(res *planned, in *inputs, open []string) *dotsame.BuildInfo {
	t := res.task
	add := func(kind, path string) { res.Reasons = append(res.Reasons, Reason{kind, path}) }
	if t.Rebuild == manifest.Always {
		add(RebuildAlways, "")
	}
	info, err := p.r.dir.ReadBuildInfo(t.Name)
	if err == nil && info != nil && info.Recipe[partTargets] == in.recipe[partTargets] {
		err = fits(info, t)
	}
	if err != nil || info == nil || info.Foreign() {
		if err != nil {
			p.r.warnf("task %q: what was remembered of it can't be used: %v", t.Name, err)
		}
		add(NeverBuilt, "")
		return nil
	}
	for _, part := range slices.Sorted(maps.Keys(both(in.recipe, info.Recipe))) {
		if in.recipe[part] != info.Recipe[part] {
			add(part+"-changed", "")
		}
	}
	for _, d := range slices.Sorted(maps.Keys(both(in.depends, info.Depends))) {
		now, is := in.depends[d]
		if was, had := info.Depends[d]; is != had || !now.IsZero() && now != was {
			add(DependencyChanged, d)
		}
	}
	if len(open) > 0 || info.InputHash != in.hash.String() {
		before := len(res.Reasons)
		if full, err := p.r.dir.ReadInputs(t.Name); err == nil && full != nil {
			p.compareInputs(in.remembered(), full.Inputs, open, add)
		}
		if len(open) == 0 && before == 0 && len(res.Reasons) == 0 {
			add(NeverBuilt, "") // its own list of inputs is not what it has the hash of
		}
	}
	if len(res.Reasons) == 0 {
		p.compareOutputs(t, info, add)
	}
	return info
}

func both(a, b map[string]digest.Digest) map[string]digest.Digest {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func (p *planner) compareInputs(now, then []dotsame.Input, open []string, add func(kind, path string)) {
	for len(now) > 0 || len(then) > 0 {
		switch {
		case len(then) == 0 || len(now) > 0 && now[0].Path < then[0].Path:
			add(InputAdded, now[0].Path)
			now = now[1:]
		case len(now) == 0 || now[0].Path > then[0].Path:
			if !under(then[0].Path, open) {
				add(InputRemoved, then[0].Path)
			}
			then = then[1:]
		default:
			if now[0] != then[0] {
				add(InputChanged, now[0].Path)
			}
			now, then = now[1:], then[1:]
		}
	}
}

// compareOutputs looks for outputs that could not be brought back.
func (p *planner) compareOutputs(t *manifest.Task, info *dotsame.BuildInfo, add func(kind, path string)) {
	have, _, err := p.r.scanPresent(context.Background(), t)
	if err != nil {
		have = nil
	}
	for _, o := range compare(have, info.Outputs).wrong {
		if o.Type == dotsame.TypeFile && !p.r.dir.CheckBlob(o.Digest, o.Size) {
			add(OutputMissing, o.Path)
		}
	}
}

// String gives the reason as people read it.
func (r Reason) String() string {
	text := strings.ReplaceAll(r.Kind, "-", " ")
	switch {
	case r.Path == "":
		return text
	case strings.ContainsFunc(r.Path, unicode.IsControl):
		return fmt.Sprintf("%s: %q", text, r.Path)
	}
	return text + ": " + r.Path
}
