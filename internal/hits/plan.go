package hits

import (
	"encoding/json"
	"fmt"
	"io"
)

// A Plan is what `same plan --json` prints, as far as it matters here.
type Plan struct {
	Tasks []struct {
		Task  string `json:"task"`
		State string `json:"state"` // "cached", "run", or "depends": it hangs on a dependency
	} `json:"tasks"`
}

const maxPlan = 64 << 20 // 64 MiB

// ParsePlan reads a plan.
func ParsePlan(r io.Reader) (*Plan, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPlan+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPlan {
		return nil, fmt.Errorf("a plan of more than %d bytes", maxPlan)
	}
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("not a plan: %w", err)
	}
	if p.Tasks == nil {
		return nil, fmt.Errorf("not a plan: it has no list of tasks")
	}
	for _, t := range p.Tasks {
		if t.Task == "" || t.State != "cached" && t.State != "run" && t.State != "depends" {
			return nil, fmt.Errorf("not a plan: task %q has the state %q, none of cached, run, depends", t.Task, t.State)
		}
	}
	return &p, nil
}

// Check says what in l is not as planned: every task that was called cached is
// skipped, none that was called run is.
func (p *Plan) Check(l *Log) (wrong []string) {
	by := make(map[string]Status, len(l.Tasks))
	for _, t := range l.Tasks {
		by[t.Name] = t.Status
	}
	for _, t := range p.Tasks {
		switch status, ok := by[t.Task]; {
		case t.State == "cached" && !ok:
			wrong = append(wrong, fmt.Sprintf("task %q was planned as cached, and is not in the log", t.Task))
		case t.State == "cached" && status != Skipped:
			wrong = append(wrong, fmt.Sprintf("task %q was planned as cached, and %s", t.Task, status.verb()))
		case t.State == "run" && status == Skipped:
			wrong = append(wrong, fmt.Sprintf("task %q was planned to run, and was skipped", t.Task))
		}
	}
	return wrong
}
