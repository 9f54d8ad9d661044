package files

import (
	"slices"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/samedir"
)

// Replace makes m what it would be if outputs, and nothing else, lay at targets.
func (m *Match) Replace(ps *Patterns, targets []string, outputs []samedir.Output) {
	m.Found = slices.DeleteFunc(m.Found, func(f Found) bool {
		return slices.ContainsFunc(targets, func(target string) bool { return f.Path == target || isAbove(target, f.Path) })
	})
	for _, o := range outputs {
		matched := ps.MatchPath(o.Path)
		if len(matched) == 0 || o.Type == samedir.TypeDir {
			continue
		}
		f := Found{Path: o.Path, Kind: File, Digest: o.Digest}
		switch {
		case o.Type == samedir.TypeLink:
			f.Kind, f.Digest = Link, digest.Of([]byte(o.Link))
		case o.Mode.Exec():
			f.Kind = Exec
		}
		m.Found = append(m.Found, f)
		for _, i := range matched {
			m.Empty = slices.DeleteFunc(m.Empty, func(text string) bool { return text == ps.list[i].text })
		}
	}
	slices.SortFunc(m.Found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
}
