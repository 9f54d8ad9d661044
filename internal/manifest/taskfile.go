package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"cachekey/internal/message"
)

var (
	taskFileFields  = []string{"version", "project", "root", "tools", "toolchain", "tasks"}
	workFileFields  = []string{"version", "root", "tools", "toolchain", "projects"}
	taskFields      = []string{"input", "cmd", "target", "tools", "dependsOn", "environment", "workingDir", "rebuild", "log"}
	rebuildSpelling = map[string]Rebuild{"on-change": OnChange, "always": Always}
)

// A head has the fields that both manifests have.
type head struct {
	*document
	version *yaml.Node
	rootDir item // node is nil if there is none
	tools   map[string]item

	toolchain [][]string // nil if the manifest has no such field
}

// A taskFile is one same.yaml.
type taskFile struct {
	head
	project item
	tasks   *yaml.Node
	drafts  []*draft
}

// A workFile is a same.work.yaml.
type workFile struct {
	head
	projects []item
}

// A draft is a task whose relations to other tasks are not checked yet.
type draft struct {
	*Task
	document  *document
	dependsOn []item // full names
	targets   []item // paths relative to the workspace root
}

// readTaskFile reads all of a same.yaml but its tasks, which makeDrafts reads.
func readTaskFile(path, file string, m *mistakes) *taskFile {
	d, top := readYAML(path, file, m)
	if top == nil {
		return nil
	}
	t := &taskFile{head: head{document: d}}
	for _, f := range d.fields(top, file) {
		switch f.text {
		case "project":
			t.project = d.item(f.value, "project")
		case "tasks":
			t.tasks = f.value
		default:
			t.read(f, file, taskFileFields)
		}
	}
	t.check(top)
	return t
}

func readWorkFile(path, file string, m *mistakes) *workFile {
	d, top := readYAML(path, file, m)
	if top == nil {
		return nil
	}
	w := &workFile{head: head{document: d}}
	for _, f := range d.fields(top, file) {
		switch f.text {
		case "projects":
			w.projects = d.list(f.value, "projects")
		case "tasks", "project":
			d.mistake(f.node, "move it to the "+TaskFile+" of a project", "%q is not allowed in %s", f.text, file)
		default:
			w.read(f, file, workFileFields)
		}
	}
	w.check(top)
	return w
}

func (h *head) read(f field, file string, known []string) {
	switch f.text {
	case "version":
		h.version = f.value
	case "root":
		h.rootDir = h.item(f.value, "root")
	case "tools":
		h.tools = h.specs(f.value)
	case "toolchain":
		h.toolchain = h.commands(f.value)
	default:
		h.unknown(f, file, known)
	}
}

func (h *head) check(top *yaml.Node) {
	const cure = `write version: "1"`
	if h.version == nil {
		h.warn(h.at(top), "no version; %s", cure)
		return
	}
	if v, ok := h.text(h.version, "version"); ok && v != "1" {
		h.mistake(h.version, cure, "unsupported version %q", v)
	}
}

// specs returns the tools that n declares: alias → spec. It keeps wrong ones too,
// so that a task that asks for one is not reported as well.
func (d *document) specs(n *yaml.Node) map[string]item {
	tools := map[string]item{}
	for _, f := range d.fields(n, "tools") {
		spec, ok := d.text(f.value, "tool "+quote(f.text))
		if !ok {
			continue
		}
		tools[f.text] = item{spec, f.value}
		if !toolAlias.MatchString(f.text) {
			d.mistake(f.node, "use letters, digits and _ . + -", "invalid tool alias %q", f.text)
		}
		if _, err := ParseSpec(spec); err != nil {
			d.mistake(f.value, message.Hint(err), "tool %q: %v", f.text, err)
		}
	}
	return tools
}

// maxToolchain is how many commands a toolchain may have. Every run starts them all.
const maxToolchain = 32

// commands returns the commands of the toolchain n, not nil.
func (d *document) commands(n *yaml.Node) [][]string {
	const cure = `write a list of commands, each with its arguments: toolchain: [["go", "version"], ["cc", "--version"]]`
	commands := [][]string{}
	v := d.follow(n)
	switch {
	case v == nil || isNull(v):
		return commands
	case v.Kind != yaml.SequenceNode:
		d.mistake(n, cure, "toolchain must be a list of commands, not %s", kind(v))
		return commands
	case len(v.Content) > maxToolchain:
		d.mistake(n, "name only programs that the results of tasks depend on", "toolchain has more than %d commands", maxToolchain)
		return commands
	}
	for _, c := range v.Content {
		if w := d.follow(c); w == nil {
			return commands
		} else if w.Kind != yaml.SequenceNode {
			d.mistake(c, cure, "a command of toolchain must be a list, not %s", kind(w))
			continue
		}
		var command []string
		for _, word := range d.list(c, "a command of toolchain") {
			command = append(command, word.text)
		}
		if len(command) == 0 || strings.TrimSpace(command[0]) == "" {
			d.mistake(c, cure, "a command of toolchain names no program")
			continue
		}
		commands = append(commands, command)
	}
	return commands
}

// inherit returns h with what it has not declared itself taken from above. A tool of
// h replaces one of the same alias; the toolchain of h replaces the whole other one.
func (h head) inherit(above head) head {
	tools := map[string]item{}
	maps.Copy(tools, above.tools)
	maps.Copy(tools, h.tools)
	h.tools = tools
	if h.toolchain == nil {
		h.toolchain = above.toolchain
	}
	return h
}

// makeDrafts reads the tasks of t. Their names begin with project, if that is not
// "", and they inherit the tools and the toolchain of t, which inherits those of
// the workspace.
func (t *taskFile) makeDrafts(project string, workspace head) {
	if t.tasks == nil {
		return
	}
	all := t.inherit(workspace)
	for _, f := range t.fields(t.tasks, "tasks") {
		t.checkTaskName(f)
		if v := t.follow(f.value); v == nil {
			break
		} else if v.Kind != yaml.MappingNode {
			t.mistake(f.value, `give it a command on a line of its own: cmd: ["make"]`, "task %q must be a mapping, not %s", f.text, kind(v))
			continue
		}
		t.drafts = append(t.drafts, t.draft(f, project, all))
	}
}

func (t *taskFile) draft(task field, project string, inherited head) *draft {
	d := &draft{document: t.document, Task: &Task{
		Name: qualify(project, task.text), Project: project, WorkingDir: t.base, Pos: t.at(task.node),
	}}
	const cure = `write the program and its arguments: cmd: ["go", "build", "./..."]`
	what := "task " + quote(task.text)
	of := " of " + what
	var cmd, targets []item
	var cmdNode, inputNode *yaml.Node
	for _, f := range t.fields(task.value, what) {
		label := f.text + of
		switch f.text {
		case "input":
			d.Inputs, inputNode = t.inputs(t.list(f.value, label), of), f.value
		case "cmd":
			cmd, cmdNode = t.list(f.value, label), f.value
		case "target":
			targets = t.list(f.value, label)
		case "tools":
			d.Tools = t.pickTools(t.list(f.value, label), inherited.tools, what)
		case "dependsOn":
			d.dependsOn = t.list(f.value, label)
		case "environment":
			d.Env = t.environment(f.value, label)
		case "workingDir":
			d.WorkingDir = t.workingDir(t.item(f.value, label), of)
		case "rebuild":
			d.Rebuild = t.rebuild(f.value, label)
		case "log":
			d.NoLog = !t.flag(f.value, label)
		default:
			t.unknown(f, what, taskFields)
		}
	}
	switch {
	case cmdNode != nil:
		t.checkCommand(cmd, cmdNode, cure, of)
	case len(targets) > 0:
		t.mistake(task.node, cure, "%s has a target but no cmd to make it", what)
	case len(d.dependsOn) == 0: // a task may just group others, as with upstream same
		t.mistake(task.node, cure, "%s has neither cmd nor dependsOn", what)
	}
	if cmdNode != nil && inputNode == nil && len(d.dependsOn) == 0 && d.Rebuild != Always {
		d.NoInput = true
	}
	for _, word := range cmd {
		d.Command = append(d.Command, word.text)
	}
	if len(d.Tools) == 0 {
		d.Toolchain = inherited.toolchain
	}
	d.targets = t.targets(targets, of)
	for _, target := range d.targets {
		d.Targets = append(d.Targets, target.text)
	}
	slices.Sort(d.Targets)
	for i, dep := range d.dependsOn {
		if !strings.Contains(dep.text, ":") {
			d.dependsOn[i].text = qualify(project, dep.text)
		}
	}
	return d
}

func qualify(project, task string) string {
	if project == "" {
		return task
	}
	return project + ":" + task
}

// nameCure says which names validName accepts.
const nameCure = "use letters, digits and _ . - / +, with a letter, a digit or _ first"

// checkTaskName refuses a name that would be ambiguous on the command line
// ("all", "project:task", "-n"), in lists ("a,b") or in a log ("[task] Skipped"),
// or that a shell would not take literally: completion offers names to shells.
func (d *document) checkTaskName(f field) {
	switch name := f.text; {
	case name == "":
		d.mistake(f.node, nameCure, "a task has no name")
	case name == All:
		d.mistake(f.node, "rename it: on the command line \"all\" stands for every task", "the task name %q is reserved", name)
	case strings.Contains(name, ":"):
		d.mistake(f.node, nameCure, "the task name %q has a colon, which separates project and task", name)
	case strings.HasPrefix(name, "-"):
		d.mistake(f.node, nameCure, "the task name %q looks like a flag", name)
	case !validName.MatchString(name):
		d.mistake(f.node, nameCure, "invalid task name %q", name)
	}
}

// checkProjectName reports whether p is a valid project name. If not, it notes a
// mistake.
func (d *document) checkProjectName(p item) bool {
	if validName.MatchString(p.text) {
		return true
	}
	d.mistake(p.node, nameCure, "invalid project name %q", p.text)
	return false
}

func (d *document) checkCommand(cmd []item, n *yaml.Node, cure, of string) {
	switch {
	case len(cmd) > 0 && strings.TrimSpace(cmd[0].text) == "":
		d.mistake(cmd[0].node, cure, "cmd%s names no program", of)
	case len(cmd) == 1 && isCommandLine(cmd[0].text):
		d.mistake(cmd[0].node, fmt.Sprintf(`split it: cmd: [%s], or run a shell: cmd: ["sh", "-c", %q]`,
			quoted(strings.Fields(cmd[0].text)), cmd[0].text), "cmd%s is one string with spaces, which is not the name of a program", of)
	case len(cmd) == 0:
		if v := d.follow(n); v != nil && (isNull(v) || v.Kind == yaml.SequenceNode && len(v.Content) == 0) {
			d.mistake(n, cure, "cmd%s is empty", of)
		}
	}
}

// isCommandLine reports whether s is a program with arguments, such as
// "go build ./...", and not the path of a program, such as "./my program".
func isCommandLine(s string) bool {
	words := strings.Fields(s)
	return len(words) > 1 && !strings.Contains(words[0], "/")
}

// pickTools returns those of tools that a task asks for.
func (d *document) pickTools(aliases []item, tools map[string]item, what string) map[string]string {
	var picked map[string]string
	for _, a := range aliases {
		tool, declared := tools[a.text]
		if !declared {
			cure := fmt.Sprintf("declare it at the top: tools: {%s: %s@VERSION}", a.text, a.text)
			if near := message.Nearest(a.text, slices.Sorted(maps.Keys(tools))); near != "" {
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

func (d *document) environment(n *yaml.Node, what string) map[string]string {
	env := map[string]string{}
	for _, f := range d.fields(n, what) {
		if !variableName.MatchString(f.text) {
			d.mistake(f.node, "use letters, digits and _, but no digit first", "invalid variable name %q", f.text)
			continue
		}
		if value, ok := d.text(f.value, f.text+" in "+what); ok {
			env[f.text] = value
		}
	}
	return env
}

// flag returns whether a field is true.
func (d *document) flag(n *yaml.Node, what string) bool {
	it := d.item(n, what)
	if it.text != "true" && it.text != "false" && it.node != nil {
		d.mistake(n, "write true or false", "%s is %q", what, it.text)
	}
	return it.text != "false"
}

func (d *document) rebuild(n *yaml.Node, what string) Rebuild {
	it := d.item(n, what)
	if it.node == nil || it.text == "" {
		return OnChange
	}
	r, known := rebuildSpelling[it.text]
	if !known {
		d.mistake(n, `write "on-change" (the default) or "always"`, "%s is %q", what, it.text)
	}
	return r
}
