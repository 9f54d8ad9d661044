package manifest

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"cachekey/internal/dotsame"
)

// rebase gives p, which is relative to base, relative to the workspace root;
// both slash-separated. It notes what leaves the workspace. noun is what p is
// ("target"), and of whose (` of task "a"`).
func (d *document) rebase(root, base string, p item, noun, of string) (string, bool) {
	switch {
	case p.text == "":
		d.mistake(p.node, "name a path, or remove it", "empty %s%s", noun, of)
		return "", false
	case strings.ContainsFunc(p.text, unprintable):
		d.mistake(p.node, "rename it", "%s %q%s has an unprintable character in it", noun, p.text, of)
		return "", false
	}
	rel := path.Join(base, p.text)
	if path.IsAbs(p.text) {
		inside, err := filepath.Rel(filepath.Join(root, base), p.text)
		if err != nil || leaves(path.Join(base, inside)) {
			d.mistake(p.node, "name what lies below the workspace root, relative to the manifest",
				"%s %q%s is outside the workspace", noun, p.text, of)
		} else {
			d.mistake(p.node, "write "+quote(inside)+": an absolute path is another on every machine",
				"%s %q%s is absolute", noun, p.text, of)
		}
		return "", false
	}
	if leaves(rel) {
		d.mistake(p.node, `name what lies below the workspace root, or set root: ".." to make the workspace larger`,
			"%s %q%s is outside the workspace", noun, p.text, of)
		return "", false
	}
	return rel, true
}

func leaves(rel string) bool { return rel == ".." || strings.HasPrefix(rel, "../") }

// inputs gives the patterns of items relative to the workspace root, sorted.
// base is a directory as it is called, which is no pattern: apps/[id].
func (d *document) inputs(root, base string, items []item, of string) []string {
	var all []string
	for _, it := range items {
		if strings.HasPrefix(it.text, "!") {
			d.mistake(it.node, "name what the task reads instead", "input %q%s: there are no exclusions", it.text, of)
			continue
		}
		if _, ok := d.rebase(root, base, it, "input", of); !ok {
			continue
		}
		p := path.Join(literally(base), it.text)
		if !doublestar.ValidatePattern(p) {
			d.mistake(it.node, `close what is open: [a-z], {a,b}; a \ before a character takes it literally`,
				"input %q%s is not a pattern", it.text, of)
			continue
		}
		if !d.checkNames(it, p, of) {
			continue
		}
		all = append(all, p)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// literally gives the pattern that matches the path p and nothing else.
func literally(p string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, "{", `\{`, "}", `\}`).Replace(p)
}

// checkNames looks at the names in a valid pattern, which are matched one by one.
func (d *document) checkNames(it item, pattern, of string) bool {
	for name := range strings.SplitSeq(pattern, "/") {
		if !doublestar.ValidatePattern(name) {
			d.mistake(it.node, "write one pattern for each", "input %q%s has braces that span directories", it.text, of)
			return false
		}
		if name != "**" && strings.Contains(name, "**") {
			d.warn(d.at(it.node), "input %q%s: ** beside other characters is no more than *; any depth is **/ before a name", it.text, of)
		}
	}
	return true
}

func (d *document) targets(root, base string, items []item, of string) []target {
	var all []target
	for _, it := range items {
		p, ok := d.rebase(root, base, it, "target", of)
		if !ok {
			continue
		}
		if strings.ContainsAny(it.text, "*?") {
			d.mistake(it.node, "name the directory that they are made in", "target %q%s is a pattern, and must be a path", it.text, of)
			continue
		}
		if p == "." {
			d.mistake(it.node, "name what the task makes: its target is removed before it runs",
				"target %q%s is the workspace itself", it.text, of)
			continue
		}
		names := strings.Split(p, "/")
		if i := slices.IndexFunc(names, dotsame.Private); i >= 0 {
			d.mistake(it.node, "make it elsewhere", "target %q%s is in %s, which is not the task's", it.text, of, names[i])
			continue
		}
		if !slices.ContainsFunc(all, func(t target) bool { return t.path == p }) {
			all = append(all, target{path: p, place: d.at(it.node)})
		}
	}
	return all
}

// workingDir gives where the task runs, relative to the workspace root. An
// absolute one is taken if it lies in the workspace, as the existing same does.
func (d *document) workingDir(root, base string, dir item, of string) string {
	if dir.node == nil || dir.text == "" {
		return base
	}
	if path.IsAbs(dir.text) {
		if rel, err := filepath.Rel(root, dir.text); err == nil && !leaves(rel) {
			return filepath.ToSlash(rel)
		}
	}
	p, ok := d.rebase(root, base, dir, "workingDir", of)
	if !ok {
		return base
	}
	return p
}
