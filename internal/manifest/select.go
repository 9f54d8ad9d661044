package manifest

// Select gives the tasks called names and all that they depend on, every task
// once and after its dependencies, in an order that hangs on names alone. The name
// "all" stands for every task. An unknown name is an error whose hint is the nearest.
func (w *Workspace) Select(names ...string) ([]*Task, error) {
	byName := make(map[string]*Task, len(w.Tasks))
	known := []string{All}
	for _, t := range w.Tasks {
		byName[t.Name] = t
		known = append(known, t.Name)
	}
	named := map[string]bool{}
	for _, name := range names {
		if name != All && byName[name] == nil {
			return nil, unknownTask(name, known, "")
		}
		named[name] = true
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
		if named[All] || named[t.Name] {
			visit(t)
		}
	}
	return order, nil
}
