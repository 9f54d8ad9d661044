// Package manifest reads same.yaml and same.work.yaml. It finds them, reports every
// mistake in them with file, line and cure, and returns the tasks with everything
// that they inherit.
package manifest

import (
	"fmt"
	"regexp"
	"slices"
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
	NoLog      bool     // do not keep what the task prints
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

// A Graph answers which tasks depend on which, directly or through others. Its size
// is linear in the tasks and their dependencies. Its methods may be called
// concurrently.
type Graph struct{ nodes map[string]*node }

// A node is a task in the order in which a depth-first walk leaves the tasks: those
// at first up to place were entered after it and left before it, so it depends on
// them. It depends on none before lowest, and on none after place.
type node struct {
	dependsOn            []*node
	lowest, first, place int
}

// NewGraph returns the graph of tasks, which must include their dependencies.
func NewGraph(tasks []*Task) *Graph {
	g := &Graph{make(map[string]*node, len(tasks))}
	byName := make(map[string]*Task, len(tasks))
	needed := make(map[string]bool, len(tasks))
	for _, t := range tasks {
		byName[t.Name] = t
		for _, d := range t.DependsOn {
			needed[d] = true
		}
	}
	left := 0
	var visit func(name string) *node
	visit = func(name string) *node {
		if n := g.nodes[name]; n != nil {
			return n
		}
		n := &node{lowest: left, first: left}
		g.nodes[name] = n
		for _, d := range byName[name].DependsOn {
			dep := visit(d)
			n.dependsOn = append(n.dependsOn, dep)
			n.lowest = min(n.lowest, dep.lowest)
		}
		n.place = left
		left++
		return n
	}
	for _, t := range tasks {
		if !needed[t.Name] { // first, so that the numbers decide for a whole chain
			visit(t.Name)
		}
	}
	for _, t := range tasks { // those of a cycle may be left
		visit(t.Name)
	}
	return g
}

// Depends reports whether the task called name depends on the task called on.
func (g *Graph) Depends(name, on string) bool {
	return g.nodes[name].depends(g.nodes[on], map[*node]bool{})
}

// depends searches for on where the numbers do not decide, except in seen.
func (n *node) depends(on *node, seen map[*node]bool) bool {
	switch {
	case on.place >= n.first && on.place < n.place:
		return true
	case on.place < n.lowest || on.place >= n.place || seen[n]:
		return false
	}
	seen[n] = true
	return slices.ContainsFunc(n.dependsOn, func(d *node) bool { return d == on || d.depends(on, seen) })
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
