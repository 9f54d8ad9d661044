package manifest

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"

	"cachekey/internal/dotsame"
)

// rebase returns the path p, which is relative to d.base, relative to the workspace
// root. Both are slash-separated. It notes a path that leaves the workspace. noun
// and of name the path in mistakes: "target" and ` of task "a"`.
func (d *document) rebase(p item, noun, of string) (string, bool) {
	switch {
	case d.root == "":
		return "", false
	case p.text == "":
		d.mistake(p.node, "name a path, or remove it", "empty %s%s", noun, of)
		return "", false
	case strings.ContainsFunc(p.text, unprintable):
		d.mistake(p.node, "rename it", "%s %q%s has an unprintable character", noun, p.text, of)
		return "", false
	}
	rel := path.Join(d.base, p.text)
	if path.IsAbs(p.text) {
		inside, err := filepath.Rel(filepath.Join(d.root, d.base), p.text)
		if err != nil || leaves(path.Join(d.base, inside)) {
			d.mistake(p.node, "use a path below the workspace root, relative to the manifest",
				"%s %q%s is outside the workspace", noun, p.text, of)
		} else {
			d.mistake(p.node, "write "+quote(inside)+": an absolute path differs between machines",
				"%s %q%s is absolute", noun, p.text, of)
		}
		return "", false
	}
	if leaves(rel) {
		d.mistake(p.node, `use a path below the workspace root, or set root: ".." to make the workspace larger`,
			"%s %q%s is outside the workspace", noun, p.text, of)
		return "", false
	}
	return rel, true
}

// leaves reports whether rel, which is relative to the workspace root, leaves it.
func leaves(rel string) bool { return rel == ".." || strings.HasPrefix(rel, "../") }

// inputs returns the patterns of items relative to the workspace root, sorted.
func (d *document) inputs(items []item, of string) []string {
	var all []string
	for _, it := range items {
		if strings.HasPrefix(it.text, "!") {
			d.mistake(it.node, "list what the task reads instead", "input %q%s: exclusions are not supported", it.text, of)
			continue
		}
		if _, ok := d.rebase(it, "input", of); !ok {
			continue
		}
		p := path.Join(literal(d.base), it.text)
		if !doublestar.ValidatePattern(p) {
			d.mistake(it.node, `close brackets and braces: [a-z], {a,b}; write \ before a character to match it literally`,
				"input %q%s is not a valid pattern", it.text, of)
			continue
		}
		if alternatives(p) > maxAlternatives {
			d.mistake(it.node, "write several patterns, or * in place of some braces",
				"input %.100q%s has more than %d alternatives", it.text, of, maxAlternatives)
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

// maxAlternatives is how many patterns without braces an input may stand for: each
// of them is tried on every name.
const maxAlternatives = 1000

// alternatives returns an upper bound of the number of patterns without braces that
// the pattern p stands for, or a number above maxAlternatives.
func alternatives(p string) int {
	// Each open brace has the number of its finished alternatives and, as the
	// last, the product of those of the current one.
	type group struct{ done, current int }
	open := []group{{0, 1}}
	for i := 0; i < len(p); i++ {
		last := &open[len(open)-1]
		switch p[i] {
		case '\\':
			i++
		case '{':
			open = append(open, group{0, 1})
		case ',':
			last.done, last.current = last.done+last.current, 1
		case '}':
			if len(open) > 1 {
				n := last.done + last.current
				open = open[:len(open)-1]
				open[len(open)-1].current *= n
			}
		}
		if last = &open[len(open)-1]; last.current > maxAlternatives || len(open) > 1 && last.done > maxAlternatives {
			return maxAlternatives + 1
		}
	}
	return open[0].done + open[0].current
}

// literal returns the pattern that matches only the path p, such as apps/[id].
func literal(p string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, "{", `\{`, "}", `\}`).Replace(p)
}

// checkNames checks the names in a valid pattern, which are matched one by one.
func (d *document) checkNames(it item, pattern, of string) bool {
	for name := range strings.SplitSeq(pattern, "/") {
		if !doublestar.ValidatePattern(name) {
			d.mistake(it.node, "write a pattern for each alternative", "input %q%s has braces that span directories", it.text, of)
			return false
		}
		if name != "**" && strings.Contains(name, "**") {
			d.warn(d.at(it.node), "input %q%s: ** next to other characters means *; for any depth write **/ before a name", it.text, of)
		}
	}
	return true
}

// targets returns the paths of items relative to the workspace root.
func (d *document) targets(items []item, of string) []item {
	var all []item
	for _, it := range items {
		p, ok := d.rebase(it, "target", of)
		if !ok {
			continue
		}
		if strings.ContainsAny(it.text, "*?") {
			d.mistake(it.node, "name the directory that has the files", "target %q%s is a pattern; it must be a path", it.text, of)
			continue
		}
		if p == "." {
			d.mistake(it.node, "name what the task makes: a target is removed before its task runs",
				"target %q%s is the workspace itself", it.text, of)
			continue
		}
		names := strings.Split(p, "/")
		if i := slices.IndexFunc(names, dotsame.Private); i >= 0 {
			d.mistake(it.node, "choose another place", "target %q%s is in %s, which a task must not write to", it.text, of, names[i])
			continue
		}
		if !slices.ContainsFunc(all, func(t item) bool { return t.text == p }) {
			all = append(all, item{p, it.node})
		}
	}
	return all
}

// workingDir returns the directory that a task runs in, relative to the workspace
// root. It may be absolute if it is in the workspace, as in upstream same.
func (d *document) workingDir(dir item, of string) string {
	if dir.node == nil || dir.text == "" {
		return d.base
	}
	if path.IsAbs(dir.text) {
		if rel, err := filepath.Rel(d.root, dir.text); err == nil && !leaves(rel) {
			return filepath.ToSlash(rel)
		}
	}
	if p, ok := d.rebase(dir, "workingDir", of); ok {
		return p
	}
	return d.base
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
