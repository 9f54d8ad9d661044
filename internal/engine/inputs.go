package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// The input hash is the digest of everything that a task's result may hang on:
//
//   - the command and its working directory,
//   - the variables of its environment,
//   - its targets,
//   - the system, x86_64-linux,
//   - its tools: each alias with the digest of what it resolves to; for a task
//     without tools the /nix/store entries of the PATH that it inherits, in order,
//   - of each task that it depends on the result (what lies at its targets), or
//     the input hash if it has no targets,
//   - each file and link that its input patterns match: the path relative to the
//     workspace root, whether it is executable, the content or the link's target.
//
// Neither the workspace's place nor any time nor the order of a listing is in it.
type inputs struct {
	recipe  map[string]digest.Digest
	depends map[string]digest.Digest
	match   *files.Match // nil while t waits for its turn
	hash    digest.Digest
}

// The parts of a recipe, as build infos and reasons name them.
const (
	partCommand     = "command"
	partEnvironment = "environment"
	partTargets     = "targets"
	partSystem      = "system"
	partTools       = "tools"
	partPath        = "path"
)

func parts(tag byte, fields ...string) digest.Digest {
	p := digest.NewParts("cachekey same recipe v1")
	p.Add(tag, fields...)
	return p.Sum()
}

// recipe gives what of a task's inputs no file says.
func (r *Runner) recipe(ctx context.Context, t *manifest.Task) (map[string]digest.Digest, error) {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(t.Env)) {
		env = append(env, name, t.Env[name])
	}
	recipe := map[string]digest.Digest{
		partCommand:     parts('c', append([]string{t.WorkingDir}, t.Command...)...),
		partEnvironment: parts('e', env...),
		partTargets:     parts('t', t.Targets...),
		partSystem:      parts('s', r.System),
	}
	if len(t.Tools) == 0 {
		recipe[partPath] = r.inherited()
		return recipe, nil
	}
	resolution, err := r.Resolver.Resolve(ctx, t.Tools)
	if err != nil {
		return nil, err
	}
	recipe[partTools] = resolution.Digest()
	return recipe, nil
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

// has says whether the file at p is one of the inputs.
func (in *inputs) has(p string) bool {
	_, ok := slices.BinarySearchFunc(in.match.Found, p, func(f files.Found, p string) int { return strings.Compare(f.Path, p) })
	return ok
}

// remembered gives the inputs as a build info lists them: one digest for all
// that counts of each.
func (in *inputs) remembered() []dotsame.Input {
	list := make([]dotsame.Input, len(in.match.Found))
	for i, f := range in.match.Found {
		list[i] = dotsame.Input{Path: f.Path, Digest: inputDigest(f)}
	}
	return list
}

// inputDigest is a plain file's own digest, so that people can compare it with
// b3sum's.
func inputDigest(f files.Found) digest.Digest {
	if f.Kind == files.File {
		return f.Digest
	}
	return parts('i', string(f.Kind), string(f.Digest[:]))
}

// checkEmpty refuses patterns that match nothing: a typo would else mean that
// the task never runs again.
func checkEmpty(t *manifest.Task, m *files.Match) error {
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
	return message.WithHint(err, "remove it, correct it, or name under dependsOn the task that makes it")
}
