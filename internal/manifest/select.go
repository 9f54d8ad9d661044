package manifest

import (
	"fmt"

	"cachekey/internal/cli"
)

// Select gives the tasks called names and all that they depend on, every task
// once and after its dependencies; otherwise in bytewise order of their names. The name "all"
// stands for every task. It is an error that names the nearest task if a name is unknown.
func (w *Workspace) Select(names ...string) ([]*Task, error) {
	byName := make(map[string]*Task, len(w.Tasks))
	known := []string{All}
	for _, t := range w.Tasks {
		byName[t.Name] = t
		known = append(known, t.Name)
	}
	wanted := map[string]bool{}
	var want func(t *Task)
	want = func(t *Task) {
		if wanted[t.Name] {
			return
		}
		wanted[t.Name] = true
		for _, d := range t.DependsOn {
			want(byName[d])
		}
	}
	for _, name := range names {
		if name == All {
			for _, t := range w.Tasks {
				want(t)
			}
			continue
		}
		t := byName[name]
		if t == nil {
			return nil, unknownTask(name, known)
		}
		want(t)
	}
	var order []*Task
	done := map[string]bool{}
	var visit func(t *Task)
	visit = func(t *Task) {
		if done[t.Name] {
			return
		}
		done[t.Name] = true
		for _, d := range t.DependsOn {
			visit(byName[d])
		}
		order = append(order, t)
	}
	for _, t := range w.Tasks {
		if wanted[t.Name] {
			visit(t)
		}
	}
	return order, nil
}

func unknownTask(name string, known []string) error {
	err := fmt.Errorf("unknown task %q", name)
	if near := cli.Nearest(name, known); near != "" {
		return cli.WithHint(err, "did you mean %q?", near)
	}
	return cli.WithHint(err, "same plan all lists the tasks")
}
