package main

import (
	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/report"
)

// results maps the name of each tree to its results.
type results map[string][]measure.Result

// wall returns a row's median wall time in seconds.
func (r results) wall(tree, row string) float64 {
	median, _, _ := r.row(tree, row).Wall()
	return median.Seconds()
}

func (r results) row(tree, name string) measure.Result {
	for _, result := range r[tree] {
		if result.Name == name {
			return result
		}
	}
	panic("no row " + name + " of tree " + tree)
}

// targets returns the design goals of cachekey, at 15,000 files and 250 MB on two
// cores.
func (r results) targets() []report.Target {
	key := r.wall("15k", keyRow)
	peak := max(r.row("15k", keyRow).Peak(), r.row("15k-untracked", keyRow).Peak())
	return []report.Target{
		{Text: "`cachekey` ÷ `nix hash path`", Got: key / r.wall("15k", hashPathRow), Limit: 0.75},
		{Text: "`cachekey` ÷ bound", Got: key / r.wall("15k", boundRow), Limit: 1.6},
		{Text: "`nix flake metadata`, not yet in the store ÷ `cachekey`", Got: r.wall("15k", coldRow) / key, Limit: 5, Least: true},
		{Text: "`hashFiles('**')` ÷ `cachekey`", Got: r.wall("15k", hashAllRow) / key, Limit: 40, Least: true},
		{Text: "peak memory of `cachekey`, MiB", Got: float64(peak) / (1 << 20), Limit: 64},
		{Text: "`cachekey` with 200,000 untracked files beside ÷ without", Got: r.wall("15k-untracked", keyRow) / key, Limit: 1.1},
		{Text: "`cachekey` with `core.ignorecase=true` ÷ without", Got: r.wall("15k", ignoreRow) / key, Limit: 1.5},
	}
}
