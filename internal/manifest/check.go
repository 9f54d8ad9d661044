package manifest

import (
	"cachekey/internal/message"
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// check looks at what can only be judged once every task is known.
func (l *loader) check() {
	slices.SortFunc(l.drafts, func(a, b *draft) int { return cmp.Compare(a.task.Name, b.task.Name) })
	known := make([]string, 0, len(l.drafts))
	for _, d := range l.drafts {
		l.byName[d.task.Name] = d
		known = append(known, d.task.Name)
	}
	for _, d := range l.drafts {
		for _, dep := range d.dependsOn {
			if l.byName[dep.text] == nil {
				d.unknownDependency(dep, known)
				continue
			}
			d.task.DependsOn = append(d.task.DependsOn, dep.text)
		}
		slices.Sort(d.task.DependsOn)
		d.task.DependsOn = slices.Compact(d.task.DependsOn)
	}
	l.checkCycles()
	l.checkTargets()
	l.checkOwnInputs()
}

func (d *draft) unknownDependency(dep item, known []string) {
	if d.document.many() {
		known = nil // looking for the nearest is the dear part
	}
	err := unknownTask(dep.text, known, d.task.Project)
	d.document.mistake(dep.node, message.Hint(err), "%s, which %s depends on", err, quote(d.task.Name))
}

// unknownTask says that no task is called name, and which one was most likely
// meant: in project (or any) by its bare name, or the nearest.
func unknownTask(name string, known []string, project string) error {
	err := fmt.Errorf("unknown task %q", name)
	if len(known) == 0 {
		return err
	}
	bare := name[strings.LastIndex(name, ":")+1:]
	var near, same []string
	for _, k := range known {
		p, t, qualified := strings.Cut(k, ":")
		if qualified && t == bare {
			same = append(same, k)
		}
		if qualified && p == project {
			near = append(near, k)
		}
	}
	if best := message.Nearest(name, near); best != "" {
		return message.WithHint(err, "did you mean %q?", best)
	}
	if len(same) > 0 {
		return message.WithHint(err, "did you mean %q?", same[0])
	}
	if best := message.Nearest(name, known); best != "" {
		return message.WithHint(err, "did you mean %q?", best)
	}
	if len(known) > 12 {
		return message.WithHint(err, "same plan lists the tasks")
	}
	return message.WithHint(err, "the tasks are %s", join(known))
}

// checkCycles notes every cycle that a walk along the dependencies closes, whole.
func (l *loader) checkCycles() {
	const open, closed = 1, 2
	state := map[string]int{}
	var trail []string
	var visit func(d *draft)
	visit = func(d *draft) {
		name := d.task.Name
		state[name] = open
		trail = append(trail, name)
		for _, dep := range d.task.DependsOn {
			switch state[dep] {
			case open:
				cycle := append(slices.Clone(trail[slices.Index(trail, dep):]), dep)
				l.add(d.placeOf(dep), "remove one of these dependencies",
					"tasks depend on each other: %s", strings.Join(cycle, " → "))
			case closed:
			default:
				visit(l.byName[dep])
			}
		}
		trail = trail[:len(trail)-1]
		state[name] = closed
	}
	for _, d := range l.drafts {
		if state[d.task.Name] == 0 {
			visit(d)
		}
	}
}

func (d *draft) placeOf(dependency string) Position {
	for _, dep := range d.dependsOn {
		if dep.text == dependency {
			return d.document.at(dep.node)
		}
	}
	return d.task.Pos
}

// checkTargets notes two tasks that write to one place, a target in another,
// and a target that has a manifest in it.
func (l *loader) checkTargets() {
	type claim struct {
		*draft
		target
	}
	claims := map[string]claim{}
	for _, d := range l.drafts {
		for _, t := range d.targets {
			if other, taken := claims[t.path]; taken {
				l.add(t.place, "give each task a target of its own",
					"%q is also a target of task %q (%s)", t.path, other.task.Name, other.place)
				continue
			}
			claims[t.path] = claim{d, t}
		}
	}
	holds := l.manifestsBelow()
	for _, d := range l.drafts {
		for _, t := range d.targets {
			for dir := path.Dir(t.path); dir != "."; dir = path.Dir(dir) {
				if outer, taken := claims[dir]; taken {
					l.add(t.place, "give each a place of its own: the outer is removed before it is made",
						"the target %q lies in %q, a target of task %q (%s)", t.path, dir, outer.task.Name, outer.place)
					break
				}
			}
			if file, is := holds[t.path]; is {
				l.add(t.place, "make it elsewhere: a target is removed before its task runs",
					"the target %q has the manifest %s in it", t.path, file)
			}
		}
	}
}

// manifestsBelow gives, for every path in the workspace that is a manifest or
// has one below it, that manifest.
func (l *loader) manifestsBelow() map[string]string {
	holds := map[string]string{}
	for _, file := range l.files {
		p := relativeTo(l.root, filepath.Join(l.dir, filepath.FromSlash(file)))
		for ; p != "." && p != "/" && !leaves(p) && holds[p] == ""; p = path.Dir(p) {
			holds[p] = file
		}
	}
	return holds
}

// checkOwnInputs notes a task that reads what it writes, and so would never be
// unchanged, and warns of one that reads what another makes without waiting for it.
func (l *loader) checkOwnInputs() {
	owner := map[string]*draft{}
	for _, d := range l.drafts {
		for _, t := range d.targets {
			owner[t.path] = d
		}
	}
	for _, d := range l.drafts {
		var before map[string]bool
		for _, in := range d.task.Inputs {
			if isPattern(in) {
				continue
			}
			for p := in; p != "."; p = path.Dir(p) {
				maker := owner[p]
				if maker == nil {
					continue
				}
				if maker == d {
					l.add(d.task.Pos, "a target is removed before its task runs: read one file and write another",
						"task %q has %q both as input and in its target", d.task.Name, in)
					break
				}
				if before == nil {
					before = l.ancestors(d)
				}
				if !before[maker.task.Name] {
					l.warn(d.task.Pos, "task %q reads %q, which task %q makes, and does not depend on it", d.task.Name, in, maker.task.Name)
				}
				break
			}
		}
	}
}

// ancestors gives the names of all tasks that d waits for.
func (l *loader) ancestors(d *draft) map[string]bool {
	seen := map[string]bool{}
	var visit func(*draft)
	visit = func(d *draft) {
		for _, dep := range d.task.DependsOn {
			if !seen[dep] {
				seen[dep] = true
				visit(l.byName[dep])
			}
		}
	}
	visit(d)
	return seen
}
