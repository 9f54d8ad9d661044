// Package docs has only tests: that the pages of this repository hold together.
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
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading  = regexp.MustCompile(`^#+ +(.*)$`)
	codeSpan = regexp.MustCompile("`[^`]*`")
)

// A page is a Markdown file without its code blocks.
type page struct {
	path  string
	lines []string
}

func pages(t *testing.T) (all []page) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == ".git" || name == ".same" || name == "node_modules") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p := page{path: path}
		code := false
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			} else if !code && !strings.HasPrefix(line, "    ") {
				p.lines = append(p.lines, strings.TrimRight(line, "\n"))
			}
		}
		all = append(all, p)
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	return all
}

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
		for _, line := range p.lines {
			if m := heading.FindStringSubmatch(line); m != nil {
				anchors[p.path][slug(m[1])] = true
			}
		}
	}
	links := 0
	for _, p := range all {
		for _, line := range p.lines {
			for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, "``"), -1) {
				target, fragment, _ := strings.Cut(m[1], "#")
				if strings.Contains(target, "://") {
					continue
				}
				links++
				file := p.path
				if target != "" {
					file = filepath.Join(filepath.Dir(p.path), target)
				}
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s: link to %s: %v", p.path, m[1], err)
				} else if known, isPage := anchors[file]; fragment != "" && isPage && !known[fragment] {
					t.Errorf("%s: link to %s: no such heading", p.path, m[1])
				}
			}
		}
	}
	if links == 0 {
		t.Error("no links found: the test sees nothing")
	}
}
