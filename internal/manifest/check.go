package manifest

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cachekey/internal/message"
)

// check checks what needs all tasks.
func (l *loader) check() {
	slices.SortFunc(l.drafts, func(a, b *draft) int { return cmp.Compare(a.Name, b.Name) })
	known := make([]string, 0, len(l.drafts))
	for _, d := range l.drafts {
		l.byName[d.Name] = d
		known = append(known, d.Name)
	}
	for _, d := range l.drafts {
		for _, dep := range d.dependsOn {
			if l.byName[dep.text] == nil {
				d.unknownDependency(dep, known)
				continue
			}
			d.DependsOn = append(d.DependsOn, dep.text)
		}
		slices.Sort(d.DependsOn)
		d.DependsOn = slices.Compact(d.DependsOn)
	}
	l.checkCycles()
	l.checkTargets()
	l.checkOwnInputs()
}

func (d *draft) unknownDependency(dep item, known []string) {
	if d.document.many() {
		known = nil // finding the nearest name is expensive
	}
	others := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return name == d.Name })
	err := unknownTask(dep.text, others, d.Project)
	d.document.mistake(dep.node, message.Hint(err), "%s, which %s depends on", err, quote(d.Name))
}

// unknownTask returns an error for the unknown task name. Its hint is the task that
// was most likely meant: one of project with a similar name, one of another project
// with the same name, or the nearest of all.
func unknownTask(name string, known []string, project string) error {
	err := fmt.Errorf("unknown task %q", name)
	if len(known) == 0 {
		return err
	}
	bare := name[strings.LastIndex(name, ":")+1:]
	var inProject, sameName []string
	for _, k := range known {
		p, t, qualified := strings.Cut(k, ":")
		if qualified && t == bare {
			sameName = append(sameName, k)
		}
		if qualified && p == project {
			inProject = append(inProject, k)
		}
	}
	if best := message.Nearest(name, inProject); best != "" {
		return message.WithHint(err, "did you mean %q?", best)
	}
	if len(sameName) > 0 {
		return message.WithHint(err, "did you mean %q?", sameName[0])
	}
	if best := message.Nearest(name, known); best != "" {
		return message.WithHint(err, "did you mean %q?", best)
	}
	if len(known) > 12 {
		return message.WithHint(err, "run same plan all to list the tasks")
	}
	return message.WithHint(err, "the tasks are %s", join(known))
}

// checkCycles notes every dependency cycle that a depth-first walk finds.
func (l *loader) checkCycles() {
	const open, closed = 1, 2
	state := map[string]int{}
	var trail []string
	var visit func(d *draft)
	visit = func(d *draft) {
		name := d.Name
		state[name] = open
		trail = append(trail, name)
		for _, dep := range d.DependsOn {
			switch state[dep] {
			case open:
				cycle := append(slices.Clone(trail[slices.Index(trail, dep):]), dep)
				l.add(d.placeOf(dep), "remove one of these dependencies",
					"dependency cycle: %s", strings.Join(cycle, " → "))
			case closed:
			default:
				visit(l.byName[dep])
			}
		}
		trail = trail[:len(trail)-1]
		state[name] = closed
	}
	for _, d := range l.drafts {
		if state[d.Name] == 0 {
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
	return d.Pos
}

// checkTargets notes targets that are equal, inside another one, or contain a
// manifest.
func (l *loader) checkTargets() {
	type claim struct {
		*draft
		place Position
	}
	claims := map[string]claim{}
	for _, d := range l.drafts {
		for _, t := range d.targets {
			place := d.document.at(t.node)
			if other, taken := claims[t.text]; taken {
				l.add(place, "give each task its own target",
					"%q is also a target of task %q (%s)", t.text, other.Name, other.place)
				continue
			}
			claims[t.text] = claim{d, place}
		}
	}
	manifests := l.manifestsBelow()
	for _, d := range l.drafts {
		for _, t := range d.targets {
			for dir := path.Dir(t.text); dir != "."; dir = path.Dir(dir) {
				if outer, taken := claims[dir]; taken {
					d.document.mistake(t.node, "move one of them: a target is removed before its task runs",
						"the target %q is inside %q, a target of task %q (%s)", t.text, dir, outer.Name, outer.place)
					break
				}
			}
			if file, is := manifests[t.text]; is {
				d.document.mistake(t.node, "choose another place: a target is removed before its task runs",
					"the target %q contains the manifest %s", t.text, file)
			}
		}
	}
}

// manifestsBelow returns the manifests, each by its own path and those of the
// directories above it.
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

// checkOwnInputs notes tasks that read their own target, which would always run,
// and warns about tasks that read the target of a task that they do not depend on.
func (l *loader) checkOwnInputs() {
	owner := map[string]*draft{}
	for _, d := range l.drafts {
		for _, t := range d.targets {
			owner[t.text] = d
		}
	}
	tasks := make([]*Task, len(l.drafts))
	for i, d := range l.drafts {
		tasks[i] = d.Task
	}
	graph := NewGraph(tasks)
	for _, d := range l.drafts {
		for _, in := range d.Inputs {
			if isPattern(in) {
				continue
			}
			for p := in; p != "."; p = path.Dir(p) {
				maker := owner[p]
				if maker == nil {
					continue
				}
				if maker == d {
					l.add(d.Pos, "a target is removed before its task runs: read one file and write another",
						"task %q has %q both as input and in its target", d.Name, in)
					break
				}
				if !graph.Depends(d.Name, maker.Name) {
					l.warn(d.Pos, "task %q reads %q, which task %q makes, but does not depend on it", d.Name, in, maker.Name)
				}
				break
			}
		}
	}
}
