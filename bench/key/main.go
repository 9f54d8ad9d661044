// Command key compares cachekey with other ways to name a source tree (Nix, go-nix and
// GitHub's hashFiles), and with the time of reading and hashing the same bytes.
//
//	go run ./bench/key [--quick] [--rounds N] [--write]
//
// It first checks that the programs agree, and then measures them in turns. With
// --write it writes the tables to docs/benchmarks.md.
package main

import (
	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/report"
	"cachekey/bench/internal/session"
	"cachekey/bench/internal/tree"
)

func main() {
	measure.Bound(bounds)
	session.Main("bench/key", "tree", 5, run)
}

func run(s *session.Session) error {
	peers, err := install(s.Workdir)
	if err != nil {
		return err
	}
	s.Write("\n%s.\n", peers.versions)
	specs := specs
	if s.Quick {
		specs = quickSpecs
	}
	measured := results{}
	for _, spec := range specs {
		if !s.Wants(spec.Name) {
			continue
		}
		s.Logf("making the tree %s", spec.Name)
		t, err := tree.Make(s.Workdir.Path("trees"), spec)
		if err != nil {
			return err
		}
		s.Logf("comparing answers")
		rows, err := peers.rows(t)
		if err != nil {
			return err
		}
		s.Write("\n### %s\n", title(spec))
		measured[spec.Name], err = s.Measure(rows, func(results []measure.Result) string { return report.Table(results, boundRow) })
		if err != nil {
			return err
		}
	}
	if s.Whole() {
		s.Write("\n### Targets\n")
		s.Targets(measured.targets())
	}
	return nil
}
