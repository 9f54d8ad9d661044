package files

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"cachekey/internal/dotsame"
)

// Patterns is the compiled list of a task's input patterns.
//
// A pattern is a slash-separated path relative to the workspace root. Its names
// may have the wildcards of doublestar: *, ?, [a-z], {a,b} within a name, and **
// for any number of names. A pattern matches
//
//   - files, also hidden ones;
//   - symbolic links, as links: they are not followed. A pattern that continues
//     after a link to a directory (link/**) matches only the link;
//   - if it matches a directory, everything below it;
//   - nothing that is, or is below, a .git or a .same;
//   - none of the task's own targets, unless it names one or something below it:
//     a task whose input is ** does not run again because of its own result.
type Patterns struct {
	list []pattern
	own  map[string]bool // the task's targets
}

type pattern struct {
	text  string
	parts []part
	base  string // the names before the first wildcard
}

type part struct {
	text string
	kind partKind
}

type partKind byte

const (
	literal  partKind = iota
	wildcard          // within one name
	anyDepth          // **: any number of names
)

// A state says how much of a pattern the names of a path have matched: its first
// at parts. A state at the end of its pattern matches everything below as well.
type state struct{ pattern, at int }

// Compile compiles the patterns of a task with these targets.
func Compile(patterns, targets []string) (*Patterns, error) {
	ps := &Patterns{own: make(map[string]bool, len(targets))}
	for _, target := range targets {
		ps.own[target] = true
	}
	for _, text := range patterns {
		p, err := compile(text)
		if err != nil {
			return nil, err
		}
		ps.list = append(ps.list, p)
	}
	return ps, nil
}

func compile(text string) (pattern, error) {
	p := pattern{text: text}
	if !doublestar.ValidatePattern(text) {
		return p, fmt.Errorf("%q is not a valid pattern", text)
	}
	if text == "." {
		return p, nil
	}
	wild := false
	for name := range strings.SplitSeq(strings.TrimSuffix(text, "/"), "/") {
		q := part{text: name}
		switch {
		case name == "" || name == "." || name == "..":
			return p, fmt.Errorf("%q is not a path inside the workspace", text)
		case name == "**":
			q.kind = anyDepth
		default:
			if q.text, q.kind = unescape(name); !doublestar.ValidatePattern(name) {
				return p, fmt.Errorf("%q has braces that span directories", text)
			}
		}
		if wild = wild || q.kind != literal; !wild {
			p.base = strings.TrimPrefix(p.base+"/"+q.text, "/")
		}
		p.parts = append(p.parts, q)
	}
	return p, nil
}

// Bases returns for each pattern the path above everything that it matches, or of it:
// the names before the first wildcard.
func (ps *Patterns) Bases() []string {
	bases := make([]string, len(ps.list))
	for i := range ps.list {
		bases[i] = ps.list[i].base
	}
	return bases
}

// unescape returns the only name that a pattern without wildcards matches, or the
// pattern itself if it has some.
func unescape(name string) (string, partKind) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case strings.IndexByte("*?[{", c) >= 0:
			return name, wildcard
		case c == '\\' && i+1 < len(name):
			i++
		}
		b.WriteByte(name[i])
	}
	return b.String(), literal
}

// start returns the states at the workspace root.
func (ps *Patterns) start() []state {
	var states []state
	for i := range ps.list {
		states = ps.enter(states, state{i, 0})
	}
	return states
}

// enter appends s to states, and the state after it if its next part is **, which
// may match no name at all.
func (ps *Patterns) enter(states []state, s state) []state {
	if slices.Contains(states, s) {
		return states
	}
	states = append(states, s)
	if parts := ps.list[s.pattern].parts; s.at < len(parts) && parts[s.at].kind == anyDepth {
		return ps.enter(states, state{s.pattern, s.at + 1})
	}
	return states
}

// step returns the states after one more name of a path, in buf. full is the path
// that ends with that name.
func (ps *Patterns) step(buf, from []state, name, full string) []state {
	next := buf[:0]
	if dotsame.Private(name) {
		return next
	}
	for _, s := range from {
		p := &ps.list[s.pattern]
		switch {
		case s.at == len(p.parts):
			next = ps.enter(next, s)
		case p.parts[s.at].kind == anyDepth:
			next = ps.enter(next, s)
		case p.parts[s.at].matches(name):
			next = ps.enter(next, state{s.pattern, s.at + 1})
		}
	}
	if len(next) > 0 && ps.own[full] {
		next = slices.DeleteFunc(next, func(s state) bool { return isAbove(ps.list[s.pattern].base, full) })
	}
	return next
}

func (p *part) matches(name string) bool {
	switch {
	case p.kind == literal:
		return p.text == name
	case p.text == "*":
		return true
	case strings.HasPrefix(p.text, "*.") && !strings.ContainsAny(p.text[1:], `*?[{\`):
		return strings.HasSuffix(name, p.text[1:])
	}
	return doublestar.MatchUnvalidated(p.text, name)
}

// isAbove reports whether dir is a directory above p.
func isAbove(dir, p string) bool {
	return dir == "" || len(dir) < len(p) && p[len(dir)] == '/' && strings.HasPrefix(p, dir)
}

// done reports whether s is at the end of its pattern.
func (ps *Patterns) done(s state) bool { return s.at == len(ps.list[s.pattern].parts) }

// literals returns the names that can follow states, and whether the patterns
// spell all of them out.
func (ps *Patterns) literals(states []state) ([]string, bool) {
	var names []string
	for _, s := range states {
		if ps.done(s) || ps.list[s.pattern].parts[s.at].kind != literal {
			return nil, false
		}
		if name := ps.list[s.pattern].parts[s.at].text; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, true
}

// MatchPath returns the indexes of the patterns that match a file at p.
func (ps *Patterns) MatchPath(p string) []int {
	states, full := ps.start(), ""
	for name := range strings.SplitSeq(p, "/") {
		full = strings.TrimPrefix(full+"/"+name, "/")
		states = ps.step(nil, states, name, full)
	}
	var matched []int
	for _, s := range states {
		if ps.done(s) && !slices.Contains(matched, s.pattern) {
			matched = append(matched, s.pattern)
		}
	}
	return matched
}
