// Package report writes what a benchmark measured: a table in Markdown, its
// targets, and both between a pair of markers in a page of documentation.
package report

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"cachekey/bench/internal/measure"
)

// A Target is a promise about the results.
type Target struct {
	Text  string
	Got   float64
	Limit float64
	Least bool // Got is to be at least Limit; otherwise at most
}

// Met reports whether the target is reached.
func (t Target) Met() bool {
	if t.Least {
		return t.Got >= t.Limit
	}
	return t.Got <= t.Limit
}

// A Column is one more column of a table, by the name of the row.
type Column struct {
	Head string
	Cell func(row string) string
}

// Table renders results; bound is the name of the row that times are compared to, or "".
func Table(results []measure.Result, bound string, more ...Column) string {
	var unit time.Duration
	for _, r := range results {
		if r.Name == bound {
			unit, _, _ = r.Wall()
		}
	}
	var b strings.Builder
	b.WriteString("| command | wall time, median (min–max) | CPU time | peak memory | runs |")
	rule := "\n| --- | ---: | ---: | ---: | ---: |"
	if unit > 0 {
		b.WriteString(" × bound |")
		rule += " ---: |"
	}
	for _, column := range more {
		b.WriteString(" " + column.Head + " |")
		rule += " ---: |"
	}
	b.WriteString(rule + "\n")
	for _, r := range results {
		median, least, most := r.Wall()
		fmt.Fprintf(&b, "| %s | %s (%s–%s) | %s | %s | %d |", r.Name,
			seconds(median), seconds(least), seconds(most), seconds(r.CPU()), mebibytes(r.Peak()), len(r.Samples))
		if unit > 0 {
			fmt.Fprintf(&b, " %.2f |", float64(median)/float64(unit))
		}
		for _, column := range more {
			b.WriteString(" " + column.Cell(r.Name) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Targets renders targets and returns how many are missed.
func Targets(targets []Target) (text string, missed int) {
	var b strings.Builder
	b.WriteString("| target | limit | measured | |\n| --- | ---: | ---: | --- |\n")
	for _, t := range targets {
		verdict, relation := "pass", "≤"
		if t.Least {
			relation = "≥"
		}
		if !t.Met() {
			verdict = "**fail**"
			missed++
		}
		fmt.Fprintf(&b, "| %s | %s %g | %.2f | %s |\n", t.Text, relation, t.Limit, t.Got, verdict)
	}
	return b.String(), missed
}

// Replace puts text between the markers `<!-- name:begin … -->` and `<!-- name:end -->` of page.
func Replace(page, name, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin := bytes.Index(old, []byte("<!-- "+name+":begin"))
	end := bytes.Index(old, []byte("<!-- "+name+":end -->"))
	if begin < 0 || end < begin {
		return fmt.Errorf("%s: no markers %q", page, name)
	}
	begin += bytes.IndexByte(old[begin:], '\n') + 1
	fresh := string(old[:begin]) + text + string(old[end:])
	return os.WriteFile(page, []byte(fresh), 0o644)
}

func seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 10:
		return fmt.Sprintf("%.3f s", s)
	default:
		return fmt.Sprintf("%.1f s", s)
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
