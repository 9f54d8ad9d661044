// Command flow draws the steps of this repository's own CI job, as they stand in
// .github/workflows/ci.yml, for the README:
//
//	go run ./docs/flow <.github/workflows/ci.yml >docs/flow.svg
package main

import (
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:generate sh -c "go run . <../../.github/workflows/ci.yml >../flow.svg"

func main() {
	if err := draw(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "flow: error:", err)
		os.Exit(1)
	}
}

type step struct{ Name, Uses, Run string }

type workflow struct {
	Jobs map[string]struct{ Steps []step }
}

const (
	job     = "workspace"
	columns = 4
	width   = 236 // of a box, in pixels
	height  = 52
	gap     = 28
	margin  = 12
)

func draw(in io.Reader, out io.Writer) error {
	var w workflow
	if err := yaml.NewDecoder(in).Decode(&w); err != nil {
		return err
	}
	steps := w.Jobs[job].Steps
	if len(steps) == 0 {
		return fmt.Errorf("the workflow has no job %q with steps", job)
	}
	rows := (len(steps) + columns - 1) / columns
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" role="img" aria-label="The steps of a CI job with cachekey">
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#6b7280"/></marker></defs>
`, 2*margin+columns*width+(columns-1)*gap, 2*margin+rows*height+(rows-1)*gap)
	for i, s := range steps {
		x, y := place(i)
		fill, stroke := colours(s)
		fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" rx="8" fill="%s" stroke="%s"/>`+"\n", x, y, width, height, fill, stroke)
		fmt.Fprintf(out, `<text x="%d" y="%d" font-size="13" font-weight="600" fill="#111827" text-anchor="middle">%s</text>`+"\n",
			x+width/2, y+22, html.EscapeString(s.Name))
		fmt.Fprintf(out, `<text x="%d" y="%d" font-size="11" font-family="ui-monospace, monospace" fill="#4b5563" text-anchor="middle">%s</text>`+"\n",
			x+width/2, y+40, html.EscapeString(does(s)))
		if i+1 < len(steps) {
			fmt.Fprintf(out, `<path d="%s" stroke="#6b7280" fill="none" marker-end="url(#tip)"/>`+"\n", arrow(i))
		}
	}
	_, err := fmt.Fprintln(out, "</svg>")
	return err
}

// place gives the corner of the box of step i. Rows are read from left to right.
func place(i int) (x, y int) {
	return margin + i%columns*(width+gap), margin + i/columns*(height+gap)
}

func arrow(i int) string {
	x, y := place(i)
	toX, toY := place(i + 1)
	if y == toY {
		return fmt.Sprintf("M%d %dH%d", x+width, y+height/2, toX-1)
	}
	return fmt.Sprintf("M%d %dV%dH%dV%d", x+width/2, y+height, y+height+gap/2, toX+width/2, toY-1)
}

var command = regexp.MustCompile(`\b(?:nix flake check|git diff|(?:same|cachekey) (?:-- )?[a-z][a-z-]*[^|\n\\]*|[a-z]+/[a-z]+\.sh)`)

// does says in a few words what a step runs.
func does(s step) string {
	if s.Uses != "" {
		action, _, _ := strings.Cut(s.Uses, "@")
		return action
	}
	var all []string
	for _, c := range command.FindAllString(s.Run, -1) {
		c = strings.ReplaceAll(c, "-- ", "")
		if flags := strings.Index(c, " --"); flags >= 0 && !strings.HasPrefix(c, "same run") {
			c = c[:flags]
		}
		all = append(all, strings.TrimSpace(strings.ReplaceAll(c, " --ci", "")))
	}
	if len(all) == 0 {
		return "cachekey"
	}
	return strings.Join(all, ", ")
}

// colours tell what CI itself does, what carries the cache, and what uses it.
func colours(s step) (fill, stroke string) {
	switch {
	case strings.Contains(s.Uses, "/cache/"):
		return "#dcfce7", "#16a34a"
	case strings.Contains(s.Run, "same run"):
		return "#fef9c3", "#ca8a04"
	case strings.Contains(s.Run, "cachekey") || strings.HasSuffix(s.Run, ".sh"):
		return "#dbeafe", "#2563eb"
	}
	return "#f3f4f6", "#9ca3af"
}
