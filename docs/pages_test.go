// Package docs has only tests: that the pages of this repository hold together,
// and that what they show works.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = ".."

// A page is a Markdown file of this repository.
type page struct {
	path   string // from the root
	prose  []string
	blocks []block
}

// A block is code in a page: fenced, or indented below an empty line.
type block struct {
	language string // "indented" if it is
	lines    []string
	follows  bool // the block before, with nothing between
}

func pages(t *testing.T) (all []page) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
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
		p := page{path: strings.TrimPrefix(filepath.ToSlash(path), root+"/")}
		p.read(string(text))
		if strings.Count(strings.Join(p.prose, ""), "`")%2 != 0 {
			t.Errorf("%s: a piece of code does not end", p.path)
		}
		all = append(all, p)
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	return all
}

// read tells prose from code.
func (p *page) read(text string) {
	lines := strings.Split(text, "\n")
	follows, empty := false, true
	for i := 0; i < len(lines); i++ {
		language, fenced := strings.CutPrefix(strings.TrimSpace(lines[i]), "```")
		_, indented := strings.CutPrefix(lines[i], "    ")
		switch {
		case fenced:
			b := block{language: language, follows: follows}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
				b.lines = append(b.lines, lines[i])
			}
			p.blocks, follows = append(p.blocks, b), true
		case indented && empty: // else a paragraph goes on
			b := block{language: "indented", follows: follows}
			for ; i < len(lines) && (lines[i] == "" || strings.HasPrefix(lines[i], "    ")); i++ {
				b.lines = append(b.lines, strings.TrimPrefix(lines[i], "    "))
			}
			for i--; lines[i] == ""; i-- {
				b.lines = b.lines[:len(b.lines)-1]
			}
			p.blocks, follows = append(p.blocks, b), true
		case lines[i] != "":
			p.prose, follows = append(p.prose, lines[i]), false
		}
		empty = i < len(lines) && (lines[i] == "" || fenced)
	}
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// spans are the pieces of code in the page's prose.
func (p *page) spans() (all []string) {
	// A paragraph's code may go on in the next line.
	for _, m := range codeSpan.FindAllStringSubmatch(strings.Join(p.prose, "\n"), -1) {
		all = append(all, strings.Join(strings.Fields(m[1]), " "))
	}
	return all
}

// A snippet is a script that a page shows, and the output that it shows for it.
type snippet struct {
	script string
	output []string
}

// snippets are the commands of a page: what stands in an `sh` block, and what
// stands behind "$ " elsewhere. What follows such a line is its output, and so is
// an indented block that follows an `sh` block.
func (p *page) snippets() (all []snippet) {
	for _, b := range p.blocks {
		switch {
		case isShell(b.language):
			all = append(all, snippet{script: strings.Join(b.lines, "\n")})
		case b.language == "text": // the help texts of a program
			for _, line := range b.lines {
				if command, ok := strings.CutPrefix(line, "  $ "); ok {
					all = append(all, snippet{script: remark.ReplaceAllString(command, "")})
				}
			}
		default:
			ours := b.follows && len(all) > 0
			for _, line := range b.lines {
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					all, ours = append(all, snippet{script: command}), true
				} else if last := len(all) - 1; ours && line != "" {
					all[last].output = append(all[last].output, line)
				}
			}
		}
	}
	return all
}

func isShell(language string) bool { return language == "sh" || language == "bash" }

// What a help text says beside an example.
var remark = regexp.MustCompile(` {3,}\S.*$`)
