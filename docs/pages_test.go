// Package docs has only tests: they check that the pages of this repository are
// consistent, and that the commands and examples in them work.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

const root = ".."

// A page is a Markdown file of this repository.
type page struct {
	path     string // from the root
	headings []string
	spans    []string // code in prose
	links    []string
	blocks   []block
}

// A block is a fenced or indented block of code.
type block struct {
	language string // "indented" if it is
	lines    []string
	follows  bool // there is nothing between it and the block before
}

// pages reads every Markdown file.
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
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p := page{path: strings.TrimPrefix(filepath.ToSlash(path), root+"/")}
		p.read(t, source)
		all = append(all, p)
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	return all
}

// read sets the fields of the page.
func (p *page) read(t *testing.T, source []byte) {
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			p.headings = append(p.headings, plain(n, source))
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
		case *ast.Image:
			p.links = append(p.links, string(n.Destination))
		case *ast.CodeSpan:
			p.spans = append(p.spans, strings.Join(strings.Fields(plain(n, source)), " "))
		case *ast.Text:
			if strings.Contains(string(n.Value(source)), "`") && n.Parent().Kind() != ast.KindCodeSpan {
				t.Errorf("%s: a piece of code does not end: %s", p.path, n.Value(source))
			}
		case *ast.FencedCodeBlock:
			p.add(n, string(n.Language(source)), source)
		case *ast.CodeBlock:
			p.add(n, "indented", source)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// add adds a block of code.
func (p *page) add(n ast.Node, language string, source []byte) {
	b := block{language: language}
	if before := n.PreviousSibling(); before != nil {
		b.follows = before.Kind() == ast.KindCodeBlock || before.Kind() == ast.KindFencedCodeBlock
	}
	for _, line := range n.Lines().Sliced(0, n.Lines().Len()) {
		b.lines = append(b.lines, strings.TrimSuffix(string(line.Value(source)), "\n"))
	}
	p.blocks = append(p.blocks, b)
}

// plain returns the text of a node, without markup.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if text, ok := child.(*ast.Text); ok {
			b.Write(text.Value(source))
		}
		b.WriteString(plain(child, source))
	}
	return b.String()
}

// A snippet is a script that a page shows, with its output.
type snippet struct {
	script string
	output []string
}

// snippets returns the commands of a page: the lines of its `sh` blocks, and lines
// that begin with "$ " elsewhere. The output of a command is what follows it, or
// the indented block after an `sh` block.
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

// remark is the explanation beside an example in a help text.
var remark = regexp.MustCompile(` {3,}\S.*$`)
