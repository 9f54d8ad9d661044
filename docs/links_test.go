package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// slug returns the anchor of a heading on GitHub.
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

// TestLinks checks that every link to a file of this repository leads to one, and its
// fragment to a heading.
func TestLinks(t *testing.T) {
	all := pages(t)
	anchors := map[string]map[string]bool{}
	for _, p := range all {
		anchors[p.path] = map[string]bool{}
		for _, heading := range p.headings {
			anchors[p.path][slug(heading)] = true
		}
	}
	links := 0
	for _, p := range all {
		for _, link := range p.links {
			target, fragment, _ := strings.Cut(link, "#")
			if strings.Contains(target, "://") {
				continue
			}
			links++
			file := p.path
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), target))
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: link to %s: %v", p.path, link, err)
			} else if known, isPage := anchors[file]; fragment != "" && isPage && !known[fragment] {
				t.Errorf("%s: link to %s: no such heading", p.path, link)
			}
		}
	}
	if links == 0 {
		t.Error("no links found")
	}
}

var quoted = regexp.MustCompile(`“([^”]+)”`)

// TestQuotedMessages checks that the messages that headings of faq.md quote are in the
// programs or their tests.
func TestQuotedMessages(t *testing.T) {
	var programs strings.Builder
	for _, dir := range []string{"internal", "tools", "action"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				var text []byte
				text, err = os.ReadFile(path)
				programs.Write(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	all := pages(t)
	faq := all[slices.IndexFunc(all, func(p page) bool { return p.path == "docs/faq.md" })]
	for _, heading := range faq.headings {
		m := quoted.FindStringSubmatch(heading)
		if m == nil || strings.Contains(heading, " says “") {
			continue
		}
		for words := range strings.SplitSeq(m[1], " … ") {
			seen++
			if !strings.Contains(programs.String(), words) {
				t.Errorf("no program has the message %q", words)
			}
		}
	}
	if seen == 0 {
		t.Error("no heading quotes anything")
	}
}
