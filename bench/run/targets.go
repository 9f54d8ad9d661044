package main

import (
	"fmt"
	"strings"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/report"
)

// table renders the results of one workspace, a table for each scenario.
func (c *contest) table(results []measure.Result) string {
	executed := report.Column{Head: "executed", Cell: func(row string) string {
		if did, ok := c.outcomes[row]; ok {
			return fmt.Sprint(did.ran)
		}
		return ""
	}}
	right := report.Column{Head: "correct outputs", Cell: func(row string) string {
		if did, ok := c.outcomes[row]; ok {
			return fmt.Sprint(did.right)
		}
		return ""
	}}
	var b strings.Builder
	bounds := [][]string{first: nil, inPlace: {walkRow}, back: {walkRow}, branch: {walkRow}, fresh: {hashRow, writeRow}}
	if c.spec.outputs > 0 {
		bounds = [][]string{first: nil, inPlace: nil, fresh: {copyRow}}
	}
	for s, bounds := range bounds {
		var part []measure.Result
		for _, r := range results {
			if name, ok := strings.CutSuffix(r.Name, ": "+scenarioNames[s]); ok {
				part = append(part, measure.Result{Name: name, Samples: r.Samples})
			}
		}
		if len(part) == 0 {
			continue
		}
		bound := ""
		for _, name := range bounds {
			part = append(part, find(results, name))
			bound = bounds[0]
		}
		atRow := func(column report.Column) report.Column {
			return report.Column{Head: column.Head, Cell: func(row string) string { return column.Cell(rowName(row, scenario(s))) }}
		}
		fmt.Fprintf(&b, "%s:\n\n%s\n", strings.ToUpper(scenarioNames[s][:1])+scenarioNames[s][1:], report.Table(part, bound, atRow(executed), atRow(right)))
	}
	return b.String()
}

// targets returns the design goals of `same run`.
func (c *contest) targets(results []measure.Result) []report.Target {
	wall := func(name string) float64 {
		median, _, _ := find(results, name).Wall()
		return median.Seconds()
	}
	at := func(tool string, s scenario) float64 { return wall(rowName(tool, s)) }
	against := func(s scenario) report.Target { // the fastest that restores outputs, or tries to
		others := []string{turboName, nxName, moonName}
		if c.spec.outputs == 0 {
			others = append(others, taskName)
		}
		best := at(others[0], s)
		for _, tool := range others[1:] {
			best = min(best, at(tool, s))
		}
		return report.Target{Text: fmt.Sprintf("%s ÷ the fastest of %s", scenarioNames[s], strings.Join(others, ", ")), Got: at(sameName, s) / best, Limit: 1}
	}
	if c.spec.outputs > 0 {
		return []report.Target{
			{Text: "fresh checkout ÷ write and rename", Got: at(sameName, fresh) / wall(copyRow), Limit: 1.5},
			against(first), against(inPlace), against(fresh),
		}
	}
	allowed := 1.5*wall(hashRow) + wall(writeRow)
	var peak int64
	for _, r := range results {
		if strings.HasPrefix(r.Name, sameName) {
			peak = max(peak, r.Peak())
		}
	}
	targets := []report.Target{
		{Text: "in place ÷ walk and lstat", Got: at(sameName, inPlace) / wall(walkRow), Limit: 2.5},
		{Text: "fresh checkout ÷ (1.5 × read and BLAKE3 + write)", Got: at(sameName, fresh) / allowed, Limit: 1},
		against(inPlace), against(back), against(fresh),
		{Text: "peak memory, MiB", Got: float64(peak) / (1 << 20), Limit: 64},
	}
	if c.spec.branch {
		targets = append(targets, against(branch))
	}
	return targets
}

func find(results []measure.Result, name string) measure.Result {
	for _, r := range results {
		if r.Name == name {
			return r
		}
	}
	panic("no row " + name)
}
