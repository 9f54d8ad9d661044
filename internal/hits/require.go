package hits

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// A Requirement is the value of --require: a condition on a log.
type Requirement struct {
	text    string
	percent int      // at least this percentage of the tasks is skipped
	none    bool     // no task is skipped
	tasks   []string // these are skipped
}

// ParseRequirement parses "all", "none", a percentage ("80%") or tasks ("build,test").
func ParseRequirement(s string) (*Requirement, error) {
	r := &Requirement{text: s}
	switch number, percent := strings.CutSuffix(s, "%"); {
	case s == "all":
		r.percent = 100
	case s == "none":
		r.none = true
	case percent:
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n > 100 || number != strconv.Itoa(n) {
			return nil, fmt.Errorf("%q is not a percentage between 0%% and 100%%", s)
		}
		r.percent = n
	default:
		for task := range strings.SplitSeq(s, ",") {
			if task == "" {
				return nil, message.WithHint(fmt.Errorf("%q has an empty name in it", s), "--require takes all, none, a percentage or tasks: build,test")
			}
			r.tasks = append(r.tasks, task)
		}
	}
	return r, nil
}

// Check lists how l differs from the requirement.
func (r *Requirement) Check(l *Log) (wrong []string) {
	switch {
	case r.none:
		for _, t := range l.Tasks {
			if t.Status == Skipped {
				wrong = append(wrong, fmt.Sprintf("task %q was skipped, but no task should be", t.Name))
			}
		}
	case r.tasks != nil:
		for _, name := range r.tasks {
			if w := notSkipped(l, name); w != "" {
				wrong = append(wrong, fmt.Sprintf("task %q should be skipped, but %s", name, w))
			}
		}
	case l.Count(Skipped)*100 < r.percent*len(l.Tasks):
		if r.percent == 100 {
			for _, t := range l.Tasks {
				if t.Status != Skipped {
					wrong = append(wrong, fmt.Sprintf("task %q should be skipped, but %s", t.Name, t.Status.verb()))
				}
			}
			break
		}
		wrong = append(wrong, fmt.Sprintf("%d of %d tasks were skipped, less than %s", l.Count(Skipped), len(l.Tasks), r.text))
	}
	return wrong
}

func notSkipped(l *Log, name string) string {
	t := l.Task(name)
	if t == nil {
		var names []string
		for _, t := range l.Tasks {
			names = append(names, t.Name)
		}
		if near := message.Nearest(name, names); near != "" {
			return fmt.Sprintf("is not in the log; %q is", near)
		}
		if _, err := strconv.Atoi(name); err == nil {
			return fmt.Sprintf("is not in the log; a percentage would be %q", name+"%")
		}
		return "is not in the log"
	}
	if t.Status == Skipped {
		return ""
	}
	return t.Status.verb()
}

func (s Status) verb() string {
	switch s {
	case Skipped:
		return "was skipped"
	case Interrupted:
		return "was interrupted"
	case Unfinished:
		return "did not finish"
	default:
		return string(s)
	}
}

// A Plan is the part of the output of `same plan --json` that Check needs.
type Plan struct {
	Tasks []struct {
		Task  string `json:"task"`
		State string `json:"state"` // "cached", "run", "depends" (on whether a dependency changes) or "fails"
	} `json:"tasks"`
}

const maxPlan = 64 << 20 // 64 MiB

// ParsePlan parses a plan.
func ParsePlan(r io.Reader) (*Plan, error) {
	text, err := disk.ReadLimited(r, maxPlan)
	if err != nil {
		return nil, fmt.Errorf("reading a plan: %w", err)
	}
	var p Plan
	if err := disk.DecodeJSON(text, &p); err != nil {
		return nil, fmt.Errorf("not a plan: %w", err)
	}
	if p.Tasks == nil {
		return nil, fmt.Errorf("not a plan: it has no list of tasks")
	}
	for _, t := range p.Tasks {
		if t.Task == "" || !slices.Contains([]string{"cached", "run", "depends", "fails"}, t.State) {
			return nil, fmt.Errorf("not a plan: task %q has the state %q, not cached, run, depends or fails", t.Task, t.State)
		}
	}
	return &p, nil
}

// Check lists how l differs from the plan: tasks planned as cached must be skipped,
// and tasks planned to run must not. Every planned task must be in the log, unless
// another one failed or was interrupted. A task that ran because its result could not be
// restored is among the warnings only: the plan was right.
func (p *Plan) Check(l *Log) (wrong, warnings []string) {
	by := make(map[string]Status, len(l.Tasks))
	again := make(map[string]bool)
	for _, t := range l.Tasks {
		by[t.Name] = t.Status
		again[t.Name] = t.Again && t.Status == Ran
	}
	complete := l.Count(Failed, Interrupted, Unfinished) == 0 // otherwise some tasks did not run
	for _, t := range p.Tasks {
		switch status, ok := by[t.Task]; {
		case !ok && (t.State == "cached" || complete):
			how := map[string]string{"cached": " as cached", "run": " to run"}[t.State]
			wrong = append(wrong, fmt.Sprintf("task %q was planned%s, but is not in the log", t.Task, how))
		case t.State == "cached" && again[t.Task]:
			warnings = append(warnings, fmt.Sprintf("task %q was planned as cached, but ran again: its result could not be restored", t.Task))
		case t.State == "cached" && status != Skipped:
			wrong = append(wrong, fmt.Sprintf("task %q was planned as cached, but %s", t.Task, status.verb()))
		case t.State == "run" && status == Skipped:
			wrong = append(wrong, fmt.Sprintf("task %q was planned to run, but was skipped", t.Task))
		case t.State == "fails" && ok && status != Failed:
			wrong = append(wrong, fmt.Sprintf("task %q was planned to fail, but %s", t.Task, status.verb()))
		}
	}
	return wrong, warnings
}
