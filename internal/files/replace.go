package files

import (
	"slices"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
)

// Replace makes m what it would be if outputs, and nothing else, lay at targets.
func (m *Match) Replace(ps *Patterns, targets []string, outputs []dotsame.Output) {
	m.Found = slices.DeleteFunc(m.Found, func(f Found) bool {
		return slices.ContainsFunc(targets, func(target string) bool { return f.Path == target || isAbove(target, f.Path) })
	})
	for _, o := range outputs {
		if o.Type == dotsame.TypeDir || len(ps.MatchPath(o.Path)) == 0 {
			continue
		}
		f := Found{Path: o.Path, Kind: File, Digest: o.Digest}
		switch {
		case o.Type == dotsame.TypeLink:
			f.Kind, f.Digest = Link, digest.Of([]byte(o.Link))
		case o.Mode.Exec():
			f.Kind = Exec
		}
		m.Found = append(m.Found, f)
	}
	slices.SortFunc(m.Found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	m.Empty = ps.empty(m.Found)
}

// empty gives the patterns that none of found matches.
func (ps *Patterns) empty(found []Found) (texts []string) {
	hit, left := make([]bool, len(ps.list)), len(ps.list)
	for _, f := range found {
		if left == 0 {
			break
		}
		for _, i := range ps.MatchPath(f.Path) {
			if !hit[i] {
				hit[i] = true
				left--
			}
		}
	}
	for i, p := range ps.list {
		if !hit[i] {
			texts = append(texts, p.text)
		}
	}
	return texts
}
