// Package manifest reads same.yaml and same.work.yaml. It finds them, reports every
// mistake in them with file, line and cure, and returns the tasks with everything
// that they inherit.
package manifest

import (
	"fmt"
	"regexp"
	"strings"

	"cachekey/internal/message"
)

// The names of the manifests.
const (
	TaskFile      = "same.yaml"
	WorkspaceFile = "same.work.yaml"
)

// All is the name that stands for every task. No task can have it.
const All = "all"

// A Workspace is the content of a same.yaml, or of a same.work.yaml and the same.yaml
// of each of its projects.
type Workspace struct {
	// Root is the absolute directory that has .same and that paths are relative to:
	// the manifest's own, or the one that its `root` names.
	Root string
	// Files are the manifests, slash-separated, relative to the directory of the
	// first of them.
	Files    []string
	Tasks    []*Task  // in bytewise order of Name
	Warnings []string // likely mistakes, each with file and line
	// Tools are all declared tools, used or not: alias → specs, sorted. There is more
	// than one if projects override it.
	Tools map[string][]string
}

// A Task is one task of a workspace, with everything that it inherits.
type Task struct {
	Name       string            // "build", or "project:build" in workspace mode
	Project    string            // "" in standalone mode
	Inputs     []string          // patterns relative to the workspace root, slash-separated, sorted
	NoInput    bool              // neither input nor dependsOn is written, and it does not always run
	Command    []string          // program and arguments; empty for a task that only groups others
	Targets    []string          // its outputs, relative to the workspace root, slash-separated, sorted
	Tools      map[string]string // alias → spec, only those that the task asks for
	Toolchain  [][]string        // commands whose output counts; none if the task has tools
	DependsOn  []string          // full names, sorted
	Env        map[string]string
	WorkingDir string // relative to the workspace root, slash-separated; "." for the root itself
	Rebuild    Rebuild
	Pos        Position // of its name
}

// Rebuild says when a task runs although its inputs have not changed.
type Rebuild int

// The values of `rebuild` in a manifest.
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

// String returns file:line, which editors and terminals turn into a link.
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Task returns the task called name, or nil.
func (w *Workspace) Task(name string) *Task {
	for _, t := range w.Tasks {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Select returns the tasks called names and all that they depend on, each once and
// after its dependencies, in an order that depends only on names. The name "all"
// stands for every task. For an unknown name, the hint of the error is the nearest.
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

// A Spec says where a tool comes from. Either Package and Version are set
// ("go@1.25.4", which Nixhub resolves to a revision of nixpkgs), or Flake and Attr
// ("nixpkgs#go", ".#lint", which the flake's own lock resolves).
type Spec struct {
	Package, Version string
	Flake, Attr      string
}

var (
	packageName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
	version      = regexp.MustCompile(`^[A-Za-z0-9_.+~^-]+$`)
	flakeRef     = regexp.MustCompile(`^[A-Za-z0-9_.+~:/?=&%@,-]+$`)
	attrPath     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_'-]*(\.[A-Za-z0-9_][A-Za-z0-9_'-]*)*$`)
	toolAlias    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
	validName    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+/-]*$`) // of a task or a project
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// ParseSpec parses a tool's spec. The fields of a valid one can be part of a Nix
// expression and a URL without quoting.
func ParseSpec(s string) (Spec, error) {
	if flake, attr, ok := strings.Cut(s, "#"); ok {
		switch {
		case !flakeRef.MatchString(flake):
			return Spec{}, message.WithHint(fmt.Errorf("%q has no valid flake before the #", s),
				"write nixpkgs#go, or .#lint for a package of this repository's own flake")
		case !attrPath.MatchString(attr):
			return Spec{}, message.WithHint(fmt.Errorf("%q has no valid package after the #", s),
				"write an attribute there: %s#go, %s#python3Packages.black", flake, flake)
		}
		return Spec{Flake: flake, Attr: attr}, nil
	}
	name, ver, ok := strings.Cut(s, "@")
	switch {
	case !ok || ver == "" && packageName.MatchString(name):
		return Spec{}, message.WithHint(fmt.Errorf("%q has no version", s),
			"write NAME@VERSION as in go@1.25.4, or FLAKE#PACKAGE as in nixpkgs#go")
	case !packageName.MatchString(name) || !version.MatchString(ver):
		return Spec{}, message.WithHint(fmt.Errorf("%q is not a tool", s),
			"write NAME@VERSION as in go@1.25.4, or FLAKE#PACKAGE as in nixpkgs#go")
	}
	return Spec{Package: name, Version: ver}, nil
}
