package docs

import (
	"io/fs"
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

var quoted = regexp.MustCompile(`“([^”]+)”`)

// TestComplaints: the words that a heading of faq.md quotes, and that are not
// somebody else's, are in the programs or their tests.
func TestComplaints(t *testing.T) {
	var all strings.Builder
	for _, dir := range []string{"internal", "tools", "action"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				var text []byte
				text, err = os.ReadFile(path)
				all.Write(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for line := range strings.Lines(read(t, "docs/faq.md")) {
		m := quoted.FindStringSubmatch(line)
		if !strings.HasPrefix(line, "#") || m == nil || strings.Contains(line, " says “") {
			continue
		}
		for words := range strings.SplitSeq(m[1], " … ") {
			seen++
			if !strings.Contains(all.String(), words) {
				t.Errorf("nothing says %q", words)
			}
		}
	}
	if seen == 0 {
		t.Error("no heading quotes anything")
	}
}
