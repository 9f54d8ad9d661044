package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`^#+ +(.*)$`)
)

// slug is the anchor that GitHub gives a heading.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 0x7f && !strings.ContainsRune("“”‘’…–—", r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Every link to a file of this repository leads to one, and its fragment to a
// heading.
func TestLinks(t *testing.T) {
	all := pages(t)
	anchors := map[string]map[string]bool{}
	for _, p := range all {
		anchors[p.path] = map[string]bool{}
		for _, line := range p.prose {
			if m := heading.FindStringSubmatch(line); m != nil {
				anchors[p.path][slug(m[1])] = true
			}
		}
	}
	links := 0
	for _, p := range all {
		prose := codeSpan.ReplaceAllString(strings.Join(p.prose, "\n"), "``")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			links++
			file := p.path
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), target))
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: link to %s: %v", p.path, m[1], err)
			} else if known, isPage := anchors[file]; fragment != "" && isPage && !known[fragment] {
				t.Errorf("%s: link to %s: no such heading", p.path, m[1])
			}
		}
	}
	if links == 0 {
		t.Error("no links found: the test sees nothing")
	}
}
