package key

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// A pattern is a doublestar glob. Most paths of a large tree are told apart by
// the literal beginning and end of their last name, for a fraction of the cost.
type pattern struct {
	glob           string
	prefix, suffix string // literal, of the last name
}

func newPattern(glob string) pattern {
	p := pattern{glob: glob}
	const special = `*?[]{}\`
	last := glob[strings.LastIndexByte(glob, '/')+1:]
	// A slash between braces would not part names.
	if dir := glob[:len(glob)-len(last)]; strings.ContainsAny(glob, `\`) || strings.ContainsAny(dir, "{[") {
		return p
	}
	if i := strings.IndexAny(last, special); i >= 0 {
		p.prefix, p.suffix = last[:i], last[strings.LastIndexAny(last, special)+1:]
	} else {
		p.prefix = last
	}
	return p
}

func (p pattern) matches(path string) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	return strings.HasPrefix(name, p.prefix) && strings.HasSuffix(name, p.suffix) && doublestar.MatchUnvalidated(p.glob, path)
}
