package manifest

import (
	"cachekey/internal/message"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads the workspace that dir lies in. Its error lists every mistake that
// was found (message.Several, if it is more than one), each with file, line and cure.
func Load(dir string) (*Workspace, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("not a directory")}
	}
	file, err := Find(dir)
	if err != nil {
		return nil, err
	}
	l := &loader{dir: filepath.Dir(file), mistakes: &mistakes{}, byName: map[string]*draft{}, tools: map[string][]string{}}
	if filepath.Base(file) == WorkspaceFile {
		l.workspace(dir)
	} else {
		l.standalone()
	}
	l.check()
	if err := l.err(); err != nil {
		return nil, err
	}
	w := &Workspace{Root: l.root, Files: l.files, Warnings: l.warnings, Tools: l.tools}
	for _, d := range l.drafts {
		w.Tasks = append(w.Tasks, d.task)
	}
	return w, nil
}

// A loader puts one workspace together.
type loader struct {
	dir  string // of the first manifest, absolute
	root string // of the workspace, absolute
	*mistakes
	drafts []*draft // sorted by name
	byName map[string]*draft
	tools  map[string][]string
}

// A draft is a task whose names are not checked yet.
type draft struct {
	task      *Task
	document  *document
	dependsOn []item
	targets   []target
}

// A target is a place that a task writes to.
type target struct {
	path  string // relative to the workspace root
	place Position
}

// standalone loads a same.yaml on its own: every path in it is relative to the
// workspace root, and its project has no effect.
func (l *loader) standalone() {
	l.files = []string{TaskFile}
	t := readTaskFile(filepath.Join(l.dir, TaskFile), TaskFile, l.mistakes)
	if t == nil {
		return
	}
	if t.project.node != nil {
		t.checkProjectName(t.project)
	}
	l.declare(t.tools)
	if !l.setRoot(t.head) {
		return
	}
	for _, raw := range t.tasks {
		l.draft(t, raw, ".", "", t.tools)
	}
}

// setRoot applies `root`, which is relative to the manifest and may lie above it.
func (l *loader) setRoot(h head) bool {
	l.root = l.dir
	if h.root.node == nil || h.root.text == "" {
		return true
	}
	root := filepath.FromSlash(h.root.text)
	if !filepath.IsAbs(root) {
		root = filepath.Join(l.dir, root)
	}
	l.root = filepath.Clean(root)
	info, err := os.Stat(l.root)
	if err == nil && info.IsDir() {
		return true
	}
	h.mistake(h.root.node, "name a directory relative to this manifest, or leave root out for the manifest's own",
		"root %q is not a directory", h.root.text)
	return false
}

// draft makes a draft of raw, whose paths are relative to base.
func (l *loader) draft(t *taskFile, raw rawTask, base, project string, tools map[string]item) {
	name := raw.name
	if project != "" {
		name = project + ":" + raw.name
	}
	what := "task " + quote(raw.name)
	d := &draft{document: t.document, task: &Task{
		Name: name, Project: project, Env: raw.environment, Rebuild: raw.rebuild, Pos: t.at(raw.key),
	}}
	for _, word := range raw.cmd {
		d.task.Command = append(d.task.Command, word.text)
	}
	d.task.Inputs = t.inputs(l.root, base, raw.input, " of "+what)
	d.targets = t.targets(l.root, base, raw.target, " of "+what)
	for _, x := range d.targets {
		d.task.Targets = append(d.task.Targets, x.path)
	}
	slices.Sort(d.task.Targets)
	d.task.WorkingDir = t.workingDir(l.root, base, raw.workingDir, " of "+what)
	d.task.Tools = l.pick(t.document, raw.tools, tools, what)
	for _, dep := range raw.dependsOn {
		full := dep.text
		if project != "" && !strings.Contains(full, ":") {
			full = project + ":" + full
		}
		d.dependsOn = append(d.dependsOn, item{full, dep.node})
	}
	l.drafts = append(l.drafts, d)
}

// declare notes tools for Workspace.Tools.
func (l *loader) declare(tools map[string]item) {
	for alias, spec := range tools {
		specs := append(l.tools[alias], spec.text)
		slices.Sort(specs)
		l.tools[alias] = slices.Compact(specs)
	}
}

// pick gives the tools that a task asks for.
func (l *loader) pick(d *document, aliases []item, tools map[string]item, what string) map[string]string {
	var picked map[string]string
	for _, a := range aliases {
		tool, declared := tools[a.text]
		if !declared {
			known := make([]string, 0, len(tools))
			for alias := range tools {
				known = append(known, alias)
			}
			slices.Sort(known)
			cure := fmt.Sprintf("declare it at the top: tools: {%s: %s@VERSION}", a.text, a.text)
			if near := message.Nearest(a.text, known); near != "" {
				cure = fmt.Sprintf("did you mean %q?", near)
			}
			d.mistake(a.node, cure, "unknown tool %q in %s", a.text, what)
			continue
		}
		if picked == nil {
			picked = map[string]string{}
		}
		picked[a.text] = tool.text
	}
	return picked
}
