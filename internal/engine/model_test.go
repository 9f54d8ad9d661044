package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// A model is an independent implementation of a workspace: plain maps and
// strings, no hashes, no files. It predicts which tasks run and which files are
// at every target afterwards.
type model struct {
	rand    *rand.Rand
	files   map[string]modelFile // the sources
	tasks   []*modelTask         // each depends only on earlier ones
	outputs map[string]modelFile // at all targets, once everything has run
	made    map[string]bool      // signatures of inputs for which there is a result
	last    map[string]string    // signature of each task's last result

	// The versions of what runs the tasks.
	programs  [2]int // prog0 and prog1 on PATH
	toolchain int    // what the command of the toolchain prints
	own       int    // the derivation of the tool .#own
}

type modelFile struct {
	content string
	exec    bool
}

type modelTask struct {
	name    string
	kind    string // concat, head, dir, check
	dirs    []string
	ext     string // of the files that count; "" for all
	depends []int
	names   bool // its dependencies' targets are among its inputs
	salt    int
	always  bool
	runner  string // what runs it: sh, prog0, prog1, ./run.sh of the workspace, or the tool own
}

var (
	kinds   = []string{"concat", "head", "dir", "check"}
	runners = []string{"sh", "prog0", "prog1", "./run.sh", "own"}
)

func newModel(r *rand.Rand) *model {
	m := &model{rand: r, files: map[string]modelFile{}, made: map[string]bool{}, last: map[string]string{}}
	for d := range 4 {
		for f := range 1 + r.IntN(3) {
			m.files[fmt.Sprintf("s%d/f%d.a", d, f)] = modelFile{content: m.text()}
			m.files[fmt.Sprintf("s%d/sub/f%d.b", d, f)] = modelFile{content: m.text()}
		}
	}
	m.files["run.sh"] = modelFile{content: runner(0), exec: true}
	for i := range 3 + r.IntN(6) {
		t := &modelTask{name: fmt.Sprintf("t%d", i), kind: kinds[r.IntN(len(kinds))], always: r.IntN(12) == 0, names: r.IntN(2) == 0, runner: runners[r.IntN(len(runners))]}
		for d := range 4 {
			if r.IntN(3) == 0 {
				t.dirs = append(t.dirs, fmt.Sprintf("s%d", d))
			}
		}
		if r.IntN(2) == 0 {
			t.ext = []string{".a", ".b"}[r.IntN(2)]
		}
		for d := range i {
			if r.IntN(3) == 0 {
				t.depends = append(t.depends, d)
			}
		}
		m.tasks = append(m.tasks, t)
	}
	return m
}

func (m *model) text() string { return fmt.Sprintf("%04d\n", m.rand.IntN(10000)) }

// target returns the task's target, or "".
func (t *modelTask) target() string {
	switch t.kind {
	case "dir":
		return "out/" + t.name
	case "check":
		return ""
	}
	return "out/" + t.name + ".txt"
}

// manifest returns the same.yaml. Its commands read what the model reads: their
// files in the order of their names, and the outputs of their dependencies.
func (m *model) manifest(log string) string {
	tasks := map[string]any{}
	for _, t := range m.tasks {
		task := map[string]any{"cmd": []string{t.runner, "-c", m.script(t, log)}}
		if t.runner == "own" {
			task["cmd"], task["tools"] = []string{"sh", "-c", m.script(t, log)}, []string{"own"}
		}
		var input, depends []string
		for _, d := range t.dirs {
			if t.ext == "" {
				input = append(input, d)
			} else {
				input = append(input, d+"/**/*"+t.ext)
			}
		}
		for _, d := range t.depends {
			dep := m.tasks[d]
			depends = append(depends, dep.name)
			if t.names && (dep.kind == "concat" || dep.kind == "head") {
				input = append(input, []string{dep.target(), "out/*" + strings.TrimPrefix(dep.target(), "out/")}[d%2])
			}
		}
		if len(input) > 0 {
			task["input"] = input
		}
		if len(depends) > 0 {
			task["dependsOn"] = depends
		}
		if t.target() != "" {
			task["target"] = []string{t.target()}
		}
		if t.always {
			task["rebuild"] = "always"
		}
		tasks[t.name] = task
	}
	text, err := json.Marshal(map[string]any{
		"version": "1", "toolchain": [][]string{{"shim", "--version"}}, "tools": map[string]string{"own": ".#own"}, "tasks": tasks,
	}) // JSON is YAML
	if err != nil {
		panic(err)
	}
	return string(text)
}

// runner returns a program that does what sh does.
func runner(version int) string {
	return fmt.Sprintf("#!/bin/sh\n# %d\nexec sh \"$@\"\n", version)
}

// runs identifies the versions of the programs that run the task.
func (m *model) runs(t *modelTask) string {
	text := fmt.Sprintf("toolchain %d, ", m.toolchain)
	switch t.runner {
	case "own":
		return fmt.Sprintf("own %d", m.own)
	case "prog0":
		return text + fmt.Sprint(m.programs[0])
	case "prog1":
		return text + fmt.Sprint(m.programs[1])
	case "./run.sh":
		return text + fmt.Sprint(m.files["run.sh"])
	}
	return text
}

func (m *model) script(t *modelTask, log string) string {
	find := "true"
	if len(t.dirs) > 0 {
		find = "find " + strings.Join(t.dirs, " ") + " -type f -name '*" + t.ext + "' | LC_ALL=C sort"
	}
	all := fmt.Sprintf("echo %d; for f in $(%s); do cat $f; done", t.salt, find)
	for _, d := range t.depends {
		switch dep := m.tasks[d]; dep.kind {
		case "dir":
			all += fmt.Sprintf("; (cd %s && ls | LC_ALL=C sort)", dep.target())
		case "concat", "head":
			all += "; cat " + dep.target()
		}
	}
	script := fmt.Sprintf("set -e; echo %s >>%s; mkdir -p out; ", t.name, log)
	switch t.kind {
	case "concat":
		return script + fmt.Sprintf("{ %s; } >%s; chmod 755 %[2]s", all, t.target())
	case "head":
		return script + fmt.Sprintf("{ %s; } | head -c 6 >%s", all, t.target())
	case "dir":
		return script + fmt.Sprintf("mkdir %[1]s; for f in $(%[2]s); do cp $f %[1]s/$(echo $f | tr / _); done", t.target(), find)
	}
	return script + "{ " + all + "; } >/dev/null"
}

// run runs the selected tasks in the model, and returns those that had to run.
func (m *model) run(selected []int, log string, noCache bool) (ran []string) {
	m.outputs = map[string]modelFile{}
	want := map[int]bool{}
	var need func(int)
	need = func(i int) {
		want[i] = true
		for _, d := range m.tasks[i].depends {
			need(d)
		}
	}
	for _, i := range selected {
		need(i)
	}
	signature := map[int]string{} // of each wanted task's inputs
	for i, t := range m.tasks {
		if !want[i] {
			continue
		}
		var sig strings.Builder
		fmt.Fprintf(&sig, "%q\n%s\n", m.script(t, log), m.runs(t))
		for _, p := range m.inputs(t) {
			fmt.Fprintf(&sig, "%s %v %q\n", p, m.files[p].exec, m.files[p].content)
		}
		for _, d := range t.depends {
			if m.tasks[d].target() == "" {
				fmt.Fprintf(&sig, "inputs %q\n", signature[d])
				continue
			}
			for _, p := range slices.Sorted(maps.Keys(m.outputs)) {
				if target := m.tasks[d].target(); p == target || strings.HasPrefix(p, target+"/") {
					fmt.Fprintf(&sig, "output %s %v %q\n", p, m.outputs[p].exec, m.outputs[p].content)
				}
			}
		}
		signature[i] = sig.String()
		if !m.made[sig.String()] || t.always || noCache {
			ran = append(ran, t.name)
		}
		m.made[sig.String()] = true
		m.last[t.name] = sig.String()
		m.make(t)
	}
	return ran
}

// forget removes all results but each task's last.
func (m *model) forget() {
	clear(m.made)
	for _, signature := range m.last {
		m.made[signature] = true
	}
}

// inputs returns the sources that the task reads.
func (m *model) inputs(t *modelTask) (paths []string) {
	for p := range m.files {
		dir, _, _ := strings.Cut(p, "/")
		if slices.Contains(t.dirs, dir) && strings.HasSuffix(p, t.ext) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// make does the same as the task's script.
func (m *model) make(t *modelTask) {
	all := fmt.Sprintf("%d\n", t.salt)
	for _, p := range m.inputs(t) {
		all += m.files[p].content
	}
	for _, d := range t.depends {
		target := m.tasks[d].target()
		for _, p := range slices.Sorted(maps.Keys(m.outputs)) {
			switch {
			case p == target:
				all += m.outputs[p].content
			case target != "" && path.Dir(p) == target:
				all += path.Base(p) + "\n"
			}
		}
	}
	switch t.kind {
	case "concat":
		m.outputs[t.target()] = modelFile{all, true}
	case "head":
		m.outputs[t.target()] = modelFile{all[:min(6, len(all))], false}
	case "dir":
		for _, p := range m.inputs(t) {
			m.outputs[t.target()+"/"+strings.ReplaceAll(p, "/", "_")] = m.files[p]
		}
	}
}
