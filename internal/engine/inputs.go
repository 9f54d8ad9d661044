package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/nixenv"
)

// inputs is everything that the result of a task may depend on. The input hash
// is the digest of
//
//   - the command and its working directory,
//   - the variables of its environment,
//   - its targets,
//   - the system, x86_64-linux,
//   - its tools: each alias with the digest of what it resolves to; for a task
//     without tools the /nix/store entries of the PATH that it inherits, in order,
//   - the result of each task that it depends on (the files at its targets), or
//     the input hash if that task has no targets,
//   - the program that the command names, and the interpreter of a script, unless
//     they come from the tools: see program,
//   - for a task without tools the output of each command of its toolchain,
//   - each file and link that its input patterns match: the path relative to the
//     workspace root, whether it is executable, the content or the link's target.
//
// The location of the workspace, times and the order of a listing do not count.
type inputs struct {
	recipe   map[string]digest.Digest
	tools    nixenv.Resolution        // of a task with tools
	depends  map[string]digest.Digest // of the results of dependencies
	patterns *files.Patterns
	match    *files.Match // nil while the task waits to be run
	hash     digest.Digest

	// unsure has the parts of the recipe that cannot be known in this run: then the
	// task runs, and its result is not cached.
	unsure map[string]bool
	open   bool // in a plan: another task makes the program first
}

// The parts of a recipe, as build infos and reasons name them.
const (
	partCommand     = "command"
	partEnvironment = "environment"
	partTargets     = "targets"
	partSystem      = "system"
	partTools       = "tools"
	partPath        = "path"

	// Prefixes of parts: a name follows, which a reason has as its path.
	partProgram   = "program:"
	partToolchain = "toolchain:"
)

func parts(tag byte, fields ...string) digest.Digest {
	p := digest.NewParts("cachekey same recipe v1")
	p.Add(tag, fields...)
	return p.Sum()
}

// newInputs returns the inputs of t without its files.
func (s *session) newInputs(ctx context.Context, t *manifest.Task, depends map[string]digest.Digest) (in *inputs, err error) {
	in = &inputs{depends: depends}
	if err = s.setRecipe(ctx, t, in); err != nil {
		return nil, fmt.Errorf("%s: task %q: %w", t.Pos, t.Name, err)
	}
	if in.patterns, err = files.Compile(t.Inputs, t.Targets); err != nil {
		return nil, fmt.Errorf("%s: task %q: input %w", t.Pos, t.Name, err)
	}
	return in, nil
}

// setRecipe sets the digests of all inputs but files and dependencies.
func (s *session) setRecipe(ctx context.Context, t *manifest.Task, in *inputs) (err error) {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(t.Env)) {
		env = append(env, name, t.Env[name])
	}
	in.recipe = map[string]digest.Digest{
		partCommand:     parts('c', append([]string{t.WorkingDir}, t.Command...)...),
		partEnvironment: parts('e', env...),
		partTargets:     parts('t', t.Targets...),
		partSystem:      parts('s', s.System),
	}
	if len(t.Tools) == 0 {
		in.recipe[partPath] = s.storePath()
		return nil
	}
	if in.tools, err = s.Resolver.Resolve(ctx, t.Tools); err != nil {
		return err
	}
	in.recipe[partTools] = in.tools.Digest()
	if in.tools.Unknown() != nil {
		s.unknownTools(t, in, in.tools)
	}
	return nil
}

// unknownTools sets the tools of in, which are not known: the result of t is not cached.
func (s *session) unknownTools(t *manifest.Task, in *inputs, tools nixenv.Resolution) {
	in.tools = tools
	in.unknowable(partTools)
	s.warnf("%s: task %q: its result is not cached, since one of its tools is not known: %v", t.Pos, t.Name, tools.Unknown())
}

// find sets the files of in, as they are now or will be then, and the hash
// unless that is not known yet.
func (s *session) find(ctx context.Context, t *manifest.Task, in *inputs, then forecast) (err error) {
	if in.match, err = s.match(ctx, t, in); err != nil {
		return err
	}
	then.replace(in)
	if err := s.addProgram(ctx, t, in, then); err != nil {
		return fmt.Errorf("%s: task %q: %w", t.Pos, t.Name, err)
	}
	if err := s.addToolchain(ctx, t, in); err != nil {
		return err
	}
	if len(in.unknown()) > 0 {
		return nil // a pattern that matches nothing now may do so then
	}
	if err := checkEmpty(s.Workspace.Root, t, in.match); err != nil {
		return err
	}
	in.sum()
	return nil
}

func (s *session) match(ctx context.Context, t *manifest.Task, in *inputs) (*files.Match, error) {
	m, err := s.files.Match(ctx, in.patterns)
	if err != nil {
		return nil, fmt.Errorf("%s: task %q: %w", t.Pos, t.Name, err)
	}
	return m, nil
}

// checkEmpty returns an error if a pattern matches nothing: after a typing error in a
// pattern, the task would otherwise never run again.
func checkEmpty(root string, t *manifest.Task, m *files.Match) error {
	if len(m.Empty) == 0 {
		return nil
	}
	pattern := m.Empty[0]
	err := fmt.Errorf("%s: task %q: input %q matches nothing", t.Pos, t.Name, pattern)
	if link := m.Through[pattern]; link != "" {
		return message.WithHint(err, "%s is a symbolic link, which is not followed: name the directory that it points to", link)
	}
	for _, target := range t.Targets {
		if pattern == target || strings.HasPrefix(pattern, target+"/") {
			return message.WithHint(err, "it is the task's own target %s, which does not exist before it has run", target)
		}
	}
	for part := range strings.SplitSeq(pattern, "/") {
		if dotsame.Private(part) {
			return message.WithHint(err, "files in %s never match: remove it", part)
		}
	}
	if st, statErr := os.Lstat(filepath.Join(root, filepath.FromSlash(pattern))); statErr == nil && st.IsDir() {
		return message.WithHint(err, "the directory exists, but has no files: add one, such as .gitkeep, or remove the input")
	}
	return message.WithHint(err, "remove it, correct it, or name under dependsOn the task that makes it")
}

// unknown returns the dependencies whose results are not known yet. In a run there
// are none.
func (in *inputs) unknown() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(in.depends)) {
		if in.depends[name].IsZero() {
			names = append(names, name)
		}
	}
	return names
}

// sum sets the input hash.
func (in *inputs) sum() {
	p := digest.NewParts("cachekey same inputs v1")
	for _, name := range slices.Sorted(maps.Keys(in.recipe)) {
		d := in.recipe[name]
		p.Add('r', name, string(d[:]))
	}
	for _, name := range slices.Sorted(maps.Keys(in.depends)) {
		d := in.depends[name]
		p.Add('d', name, string(d[:]))
	}
	for _, f := range in.match.Found {
		p.Add('i', f.Path, string(f.Kind), string(f.Digest[:]))
	}
	in.hash = p.Sum()
}

// result returns the digest of t that is among the inputs of tasks that depend on it.
func (in *inputs) result(t *manifest.Task, outputs []dotsame.Output) digest.Digest {
	if len(t.Targets) == 0 {
		return in.hash
	}
	return dotsame.ResultHash(outputs)
}

// has reports whether the file at p is one of the inputs.
func (in *inputs) has(p string) bool {
	_, ok := slices.BinarySearchFunc(in.match.Found, p, func(f files.Found, p string) int { return strings.Compare(f.Path, p) })
	return ok
}

// list returns the files as a build info lists them, each with one digest of its
// content, exec bit and link target. That of a plain file is the digest of its
// content, as b3sum prints it.
func (in *inputs) list() []dotsame.Input {
	list := make([]dotsame.Input, len(in.match.Found))
	for i, f := range in.match.Found {
		list[i] = dotsame.Input{Path: disk.Path(f.Path), Digest: f.Digest}
		if f.Kind != files.File {
			list[i].Digest = parts('i', string(f.Kind), string(f.Digest[:]))
		}
	}
	return list
}

// changed returns the path of an input that is no longer what it was when t
// started, or "".
func (s *session) changed(ctx context.Context, t *manifest.Task, in *inputs) string {
	now := &inputs{recipe: map[string]digest.Digest{}, patterns: in.patterns}
	var err error
	if now.match, err = s.match(ctx, t, in); err == nil {
		err = s.addProgram(ctx, t, now, forecast{})
	}
	if err != nil {
		return err.Error()
	}
	for part, d := range in.recipe {
		if name, is := strings.CutPrefix(part, partProgram); is && now.recipe[part] != d {
			return name
		}
	}
	before, after := in.match.Found, now.match.Found
	for i := range max(len(before), len(after)) {
		switch {
		case i >= len(after) || i < len(before) && before[i].Path < after[i].Path:
			return before[i].Path
		case i >= len(before) || before[i] != after[i]:
			return after[i].Path
		}
	}
	return ""
}

// warnOfInputs warns of inputs that probably differ from what their author meant.
func (s *session) warnOfInputs(t *manifest.Task, in *inputs) {
	if t.NoInput {
		s.warnf("%s: task %q names neither input nor dependsOn: no change of a file makes it run again; list what it reads, or write input: [] or rebuild: always", t.Pos, t.Name)
	}
	s.warnOfArguments(t, in)
	for _, pattern := range slices.Sorted(maps.Keys(in.match.Through)) {
		s.warnf("%s: task %q: input %q goes through the symbolic link %s, which counts as a link: changes behind it do not make the task run again", t.Pos, t.Name, pattern, in.match.Through[pattern])
	}
	s.warnOfLinks(t, in)
	warned := map[*manifest.Task]bool{nil: true, t: true}
	dir, dirMaker := ".", (*manifest.Task)(nil)
	for _, f := range in.match.Found {
		// Package manifest warns of this too, but only of inputs that are spelled
		// out: which files a pattern matches is known here.
		if d := path.Dir(f.Path); d != dir { // seldom: Found is sorted
			dir, dirMaker = d, s.makerOf(d)
		}
		maker := cmp.Or(s.makers[f.Path], dirMaker)
		if warned[maker] {
			continue
		}
		warned[maker] = true
		if !s.dependsOn(t, maker) {
			s.warnf("%s: task %q: its input %s is made by task %q, on which it does not depend: either of them may run first", t.Pos, t.Name, f.Path, maker.Name)
		}
	}
}

// warnOfLinks warns of links among the inputs of t, unless what they point to is an
// input too, or lies in the Nix store, where nothing changes. There is one warning for
// each link that t names, and one for all that its patterns match.
func (s *session) warnOfLinks(t *manifest.Task, in *inputs) {
	first, firstTo, more := "", "", 0
	for _, f := range in.match.Found {
		if f.Kind != files.Link {
			continue
		}
		to, err := os.Readlink(filepath.Join(s.Workspace.Root, filepath.FromSlash(f.Path)))
		if err != nil || strings.HasPrefix(to, "/nix/store/") {
			continue
		}
		if rel, inside := s.relative(to); !path.IsAbs(to) {
			to = path.Join(path.Dir(f.Path), to)
		} else if inside {
			to = rel
		}
		if in.hasBelow(to) {
			continue
		}
		if slices.Contains(t.Inputs, f.Path) {
			s.warnf("%s: task %q: input %q is a symbolic link and counts as a link: changes of %s, which it points to, do not make the task run again", t.Pos, t.Name, f.Path, to)
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Workspace.Root, filepath.FromSlash(f.Path))); err != nil {
			continue // it points to nothing that could change
		}
		if first == "" {
			first, firstTo = f.Path, to
		} else {
			more++
		}
	}
	others := ""
	if more > 0 {
		others = fmt.Sprintf(" (the same goes for %d more)", more)
	}
	if first != "" {
		s.warnf("%s: task %q: its input %s is a symbolic link and counts as a link: changes of %s, which it points to, do not make the task run again%s; list it under input", t.Pos, t.Name, first, firstTo, others)
	}
}

// hasBelow reports whether p or a file below it is one of the inputs.
func (in *inputs) hasBelow(p string) bool {
	if in.has(p) {
		return true
	}
	below := p + "/"
	i, _ := slices.BinarySearchFunc(in.match.Found, below, func(f files.Found, p string) int { return strings.Compare(f.Path, p) })
	return i < len(in.match.Found) && strings.HasPrefix(in.match.Found[i].Path, below)
}

// makerOf returns the task that has p at one of its targets, or nil.
func (s *session) makerOf(p string) *manifest.Task {
	for ; p != "."; p = path.Dir(p) {
		if maker := s.makers[p]; maker != nil {
			return maker
		}
	}
	return nil
}

// isBelow reports whether p is one of targets, or below one.
func isBelow(p string, targets ...string) bool {
	for _, target := range targets {
		if p == target || len(p) > len(target) && p[len(target)] == '/' && p[:len(target)] == target {
			return true
		}
	}
	return false
}
