package key

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"cachekey/internal/message"
	"cachekey/internal/source"
)

// A selection is what an ingredient is made of: patterns, and where they come
// from.
type selection struct {
	name     string
	patterns []pattern
	given    bool   // by the user: then each of them must match
	flag     string // that gives them
	required string // where they are not given: the pattern that must match, or "" for any one of them
	modules  bool   // submodules are entries too
}

// use takes the given patterns, or the defaults if there are none.
func (s *selection) use(given, defaults []string) {
	globs := defaults
	if len(given) > 0 {
		globs, s.given = given, true
	}
	for _, g := range globs {
		s.patterns = append(s.patterns, newPattern(g))
	}
}

func (s *selection) matches(p string) bool {
	return slices.ContainsFunc(s.patterns, func(pattern pattern) bool { return pattern.matches(p) })
}

// an entry of an ingredient, not yet hashed.
type entry struct {
	path  string
	kind  byte
	size  int64
	write func(io.Writer) error
}

// textEntry is an entry whose contents are text.
func textEntry(path string, kind byte, text string) entry {
	return entry{path, kind, int64(len(text)), func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}}
}

// entries gives what s selects from t, in the order in which it is hashed.
func (s *selection) entries(t *source.Tree) ([]entry, error) {
	var all []entry
	for _, f := range t.Files(s.matches) {
		if !f.Link() {
			all = append(all, entry{f.Path(), 'f', f.Size(), func(w io.Writer) error { return t.Copy(w, f) }})
			continue
		}
		target, err := t.Target(f)
		if err != nil {
			return nil, err
		}
		all = append(all, textEntry(f.Path(), 'l', target))
	}
	if s.modules {
		for _, m := range t.Submodules() {
			all = append(all, textEntry(m.Path, 'g', m.Commit))
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.path, b.path), cmp.Compare(a.kind, b.kind))
	})
	return all, nil
}

// ingredient hashes what s selects from t.
func (s *selection) ingredient(t *source.Tree) (Ingredient, error) {
	in := Ingredient{Name: s.name, Files: []File{}}
	entries, err := s.entries(t)
	if err != nil {
		return in, err
	}
	d := newDigest(s.name)
	for _, e := range entries {
		own, err := d.entry(e.path, e.kind, e.size, e.write)
		if err != nil {
			return in, err
		}
		in.Files = append(in.Files, File{printable(e.path), string(e.kind), own})
	}
	in.Digest = d.segment()
	return in, nil
}

// printable makes a path fit for JSON, which knows nothing but UTF-8. Paths are
// hashed as the bytes that they are; this is for people only.
func printable(p string) string {
	if utf8.ValidString(p) {
		return p
	}
	var b strings.Builder
	for i, r := range p {
		if r == utf8.RuneError && !strings.HasPrefix(p[i:], "\uFFFD") {
			fmt.Fprintf(&b, `\x%02x`, p[i])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// missing says which pattern that must match a file matches none.
func (s *selection) missing(ctx context.Context, t *source.Tree, allow bool) error {
	if allow {
		return nil
	}
	want := s.patterns
	if !s.given {
		if s.required == "" {
			if len(t.Files(s.matches)) > 0 {
				return nil
			}
			return s.missingError(ctx, t, s)
		}
		want = []pattern{newPattern(s.required)}
	}
	for _, p := range want {
		one := &selection{patterns: []pattern{p}, given: s.given, flag: s.flag}
		if len(t.Files(one.matches)) == 0 {
			return s.missingError(ctx, t, one)
		}
	}
	return nil
}

func (s *selection) missingError(ctx context.Context, t *source.Tree, one *selection) error {
	var names []string
	for _, p := range one.patterns {
		names = append(names, p.glob)
	}
	globs := strings.Join(names, " or ")
	err := fmt.Errorf("no file in %q matches %s", t.Root, globs)
	if t.Git {
		err = fmt.Errorf("no file that git tracks in %q matches %s", t.Root, globs)
		if untracked, err := one.untracked(ctx, t); err == nil && len(untracked) > 0 {
			return message.WithHint(fmt.Errorf("%q in %q is not tracked by git, so Nix does not see it", untracked[0], t.Root),
				"git -C %q add %q", t.Root, untracked[0])
		}
	}
	switch {
	case s.given:
		return message.WithHint(err, "correct the pattern given with %s, or do without it: --allow-missing", s.flag)
	case s.required != "":
		return message.WithHint(err, "%s", withoutLock)
	}
	return message.WithHint(err, "write a same.yaml; %s names other files, --allow-missing does without", s.flag)
}

// withoutLock is what to do where no flake.lock is.
const withoutLock = "nix flake lock makes one; --lock names other files, --allow-missing does without"

// untracked gives the files that s would select if git tracked them.
func (s *selection) untracked(ctx context.Context, t *source.Tree) ([]string, error) {
	var names []string
	for _, p := range s.patterns {
		names = append(names, literalNames(path.Base(p.glob))...)
	}
	return t.Untracked(ctx, s.matches, names)
}

// literalNames gives the names that a pattern without wildcards stands for.
func literalNames(pattern string) []string {
	open, shut := strings.IndexByte(pattern, '{'), strings.LastIndexByte(pattern, '}')
	if open >= 0 && open < shut {
		var names []string
		for choice := range strings.SplitSeq(pattern[open+1:shut], ",") {
			names = append(names, literalNames(pattern[:open]+choice+pattern[shut+1:])...)
		}
		return names
	}
	if strings.ContainsAny(pattern, `*?[]{}\`) {
		return nil
	}
	return []string{pattern}
}
