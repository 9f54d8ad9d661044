package manifest

import (
	"cachekey/internal/message"
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

func quote(s string) string { return fmt.Sprintf("%q", s) }

// wrong notes a mistake whose cure err brings along.
func (d *document) wrong(n *yaml.Node, err error, format string, args ...any) {
	d.mistake(n, message.Hint(err), format, args...)
}

// nameCure says which names validName accepts.
const nameCure = "use letters, digits and _ . - / +, with a letter, a digit or _ first"

// checkTaskName refuses a name that would be ambiguous on the command line
// ("all", "project:task", "-n"), in lists ("a,b") or in a log ("[task] Skipped"),
// or that a shell would not take literally: completion offers names to shells.
func (d *document) checkTaskName(f field) {
	const cure = nameCure
	switch name := f.name; {
	case name == "":
		d.mistake(f.key, cure, "a task has no name")
	case name == All:
		d.mistake(f.key, "rename it: on the command line \"all\" stands for every task", "the task name %q is reserved", name)
	case strings.Contains(name, ":"):
		d.mistake(f.key, cure, "the task name %q has a colon in it, which divides project and task", name)
	case strings.HasPrefix(name, "-"):
		d.mistake(f.key, cure, "the task name %q begins like a flag", name)
	case !validName.MatchString(name):
		d.mistake(f.key, cure, "%q cannot be a task's name", name)
	}
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// checkCommand refuses a task that does nothing. One without cmd is allowed as
// a name for those that it depends on, as it is with the existing same.
func (d *document) checkCommand(t rawTask, what string) {
	const cure = `write the program and its arguments: cmd: ["go", "build", "./..."]`
	switch {
	case len(t.cmd) > 0 && strings.TrimSpace(t.cmd[0].text) == "":
		d.mistake(t.cmd[0].node, cure, "cmd of %s names no program", what)
	case len(t.cmd) == 1 && isSentence(t.cmd[0].text):
		d.mistake(t.cmd[0].node, fmt.Sprintf(`split it: cmd: [%s], or run a shell: cmd: ["sh", "-c", %q]`,
			quoted(strings.Fields(t.cmd[0].text)), t.cmd[0].text), "cmd of %s is one string with spaces, and no program is called so", what)
	case len(t.cmd) > 0:
	case t.cmdNode != nil:
		if v := d.follow(t.cmdNode); v != nil && (isNull(v) || v.Kind == yaml.SequenceNode && len(v.Content) == 0) {
			d.mistake(t.cmdNode, cure, "cmd of %s is empty", what)
		}
	case len(t.target) > 0:
		d.mistake(t.key, cure, "%s has a target and no cmd to make it", what)
	case len(t.dependsOn) == 0:
		d.mistake(t.key, cure, "%s has neither cmd nor dependsOn", what)
	}
}

// isSentence says whether s is a program and arguments rather than a program:
// "go build ./..." is, "./my program" is not.
func isSentence(s string) bool {
	words := strings.Fields(s)
	return len(words) > 1 && !strings.Contains(words[0], "/")
}

func quoted(words []string) string {
	for i, w := range words {
		words[i] = quote(w)
	}
	return join(words)
}

// checkProjectName notes a project name that could not stand before a colon.
func (d *document) checkProjectName(p item) bool {
	if validName.MatchString(p.text) {
		return true
	}
	d.mistake(p.node, nameCure, "%q cannot be a project's name", p.text)
	return false
}
