// Package manifest reads what people write: same.yaml and same.work.yaml. It
// finds them, refuses every mistake in them with a file, a line and a cure, and
// gives the tasks with all that they inherit, ready to run. It starts nothing.
package manifest

import "fmt"

// The names of the manifests.
const (
	TaskFile      = "same.yaml"
	WorkspaceFile = "same.work.yaml"
)

// All is the name that stands for every task. No task may be called so.
const All = "all"

// A Workspace is everything that same.yaml, or same.work.yaml and the same.yaml
// of each of its projects, says.
type Workspace struct {
	// Root is the absolute directory that every path below is relative to and
	// that .same lies in: the manifest's own, unless its `root` says otherwise.
	Root string
	// Files are the manifests that were read, slash-separated, relative to the
	// directory of the first of them.
	Files    []string
	Tasks    []*Task  // in bytewise order of Name
	Warnings []string // what works but is most likely not meant, with file and line
	// Tools are all declared tools, whether or not a task asks for them: alias →
	// its specs, sorted; more than one where projects override it.
	Tools map[string][]string
}

// A Task is one task of a workspace, with all that it inherits.
type Task struct {
	Name       string            // "build", or "project:build" in workspace mode
	Project    string            // "" in standalone mode
	Inputs     []string          // patterns relative to the workspace root, slash-separated, sorted
	Command    []string          // program and arguments; empty for a task that only groups others
	Targets    []string          // what it makes, relative to the workspace root, slash-separated, sorted
	Tools      map[string]string // alias → spec, just those that the task asks for
	DependsOn  []string          // full names, sorted
	Env        map[string]string
	WorkingDir string // relative to the workspace root, slash-separated; "." for the root itself
	Rebuild    Rebuild
	Pos        Position // of its name
}

// Rebuild says when a task whose inputs have not changed runs all the same.
type Rebuild int

// The values that a manifest's `rebuild` can have.
const (
	OnChange Rebuild = iota // "on-change", the default: never
	Always                  // "always"
)

// A Position is a place in a manifest.
type Position struct {
	File   string // relative to the first manifest's directory, slash-separated
	Line   int    // from 1
	Column int    // from 1
}

// String gives p as file:line, the way editors and terminals make links of it.
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Task gives the task called name, or nil.
func (w *Workspace) Task(name string) *Task {
	for _, t := range w.Tasks {
		if t.Name == name {
			return t
		}
	}
	return nil
}
