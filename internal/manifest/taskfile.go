package manifest

import "go.yaml.in/yaml/v4"

var (
	taskFileFields  = []string{"version", "project", "root", "tools", "tasks"}
	workFileFields  = []string{"version", "root", "tools", "projects"}
	taskFields      = []string{"input", "cmd", "target", "tools", "dependsOn", "environment", "workingDir", "rebuild"}
	rebuildSpelling = map[string]Rebuild{"on-change": OnChange, "always": Always}
)

// A head is what both manifests begin with.
type head struct {
	*document
	version *yaml.Node
	root    item // node is nil where there is none
	tools   map[string]item
}

// A taskFile is one same.yaml as it is written, paths untouched.
type taskFile struct {
	head
	project item
	tasks   []rawTask
}

// A workFile is a same.work.yaml as it is written.
type workFile struct {
	head
	projects []item
}

// A rawTask is a task as it is written.
type rawTask struct {
	name                      string
	key                       *yaml.Node
	input, cmd, target, tools []item
	dependsOn                 []item
	environment               map[string]string
	workingDir                item
	rebuild                   Rebuild
	cmdNode                   *yaml.Node
}

func readTaskFile(path, file string, m *mistakes) *taskFile {
	d, top := readYAML(path, file, m)
	if top == nil {
		return nil
	}
	t := &taskFile{head: head{document: d}}
	for _, f := range d.fields(top, file) {
		switch f.name {
		case "project":
			t.project = d.item(f.value, "project")
		case "tasks":
			t.tasks = d.tasks(f.value)
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
		if f.name == "projects" {
			w.projects = d.list(f.value, "projects")
			continue
		}
		if f.name == "tasks" || f.name == "project" {
			d.mistake(f.key, "move it to the "+TaskFile+" of a project", "%q has no place in %s", f.name, file)
			continue
		}
		w.read(f, file, workFileFields)
	}
	w.check(top)
	return w
}

func (h *head) read(f field, file string, known []string) {
	switch f.name {
	case "version":
		h.version = f.value
	case "root":
		h.root = h.item(f.value, "root")
	case "tools":
		h.tools = h.specs(f.value)
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
		h.mistake(h.version, cure, "version %q is not one that this program knows", v)
	}
}

// item gives the string n with its place; a null is none.
func (d *document) item(n *yaml.Node, what string) item {
	if v := d.follow(n); v == nil || isNull(v) {
		return item{}
	}
	text, ok := d.text(n, what)
	if !ok {
		return item{}
	}
	return item{text, n}
}

// specs gives the tools that n declares: alias → spec.
func (d *document) specs(n *yaml.Node) map[string]item {
	tools := map[string]item{}
	for _, f := range d.fields(n, "tools") {
		spec, ok := d.text(f.value, "tool "+quote(f.name))
		if !ok {
			continue
		}
		// Said at its place in any case, and declared in any case: what asks for it is not wrong too.
		tools[f.name] = item{spec, f.value}
		if !toolAlias.MatchString(f.name) {
			d.mistake(f.key, "use letters, digits and _ . + -", "%q cannot be a tool's alias", f.name)
		}
		if _, err := ParseSpec(spec); err != nil {
			d.wrong(f.value, err, "tool %q: %v", f.name, err)
		}
	}
	return tools
}

func (d *document) tasks(n *yaml.Node) []rawTask {
	var all []rawTask
	for _, f := range d.fields(n, "tasks") {
		what := "task " + quote(f.name)
		d.checkTaskName(f)
		if v := d.follow(f.value); v == nil {
			break
		} else if v.Kind != yaml.MappingNode {
			d.mistake(f.value, `give it a command on a line of its own: cmd: ["make"]`, "%s must be a mapping, and is %s", what, kind(v))
			continue
		}
		all = append(all, d.task(f, what))
	}
	return all
}

func (d *document) task(f field, what string) rawTask {
	t := rawTask{name: f.name, key: f.key}
	for _, f := range d.fields(f.value, what) {
		label := f.name + " of " + what
		switch f.name {
		case "input":
			t.input = d.list(f.value, label)
		case "cmd":
			t.cmd, t.cmdNode = d.list(f.value, label), f.value
		case "target":
			t.target = d.list(f.value, label)
		case "tools":
			t.tools = d.list(f.value, label)
		case "dependsOn":
			t.dependsOn = d.list(f.value, label)
		case "environment":
			t.environment = d.environment(f.value, label)
		case "workingDir":
			t.workingDir = d.item(f.value, label)
		case "rebuild":
			t.rebuild = d.rebuild(f.value, label)
		default:
			d.unknown(f, what, taskFields)
		}
	}
	d.checkCommand(t, what)
	return t
}

func (d *document) environment(n *yaml.Node, what string) map[string]string {
	env := map[string]string{}
	for _, f := range d.fields(n, what) {
		if !variableName.MatchString(f.name) {
			d.mistake(f.key, "use letters, digits and _, no digit first", "%q cannot be a variable's name", f.name)
			continue
		}
		if value, ok := d.text(f.value, f.name+" in "+what); ok {
			env[f.name] = value
		}
	}
	return env
}

func (d *document) rebuild(n *yaml.Node, what string) Rebuild {
	it := d.item(n, what)
	if it.node == nil || it.text == "" {
		return OnChange
	}
	r, known := rebuildSpelling[it.text]
	if !known {
		d.mistake(n, `write "on-change" (which is the default) or "always"`, "%s is %q", what, it.text)
	}
	return r
}
