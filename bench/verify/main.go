// Command verify measures seal, verify and prune on a cache of 100,000 files, and the
// time of reading and hashing the same bytes.
//
//	go run ./bench/verify [--quick] [--rounds N] [--write]
//
// It first checks that verify --deep finds a file with one wrong byte. With --write it writes
// the tables to docs/benchmarks.md.
package main

import (
	"fmt"
	"os"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/report"
	"cachekey/bench/internal/session"
)

// The names of the rows.
const (
	verifyRow = "`cachekey verify`"
	deepRow   = "`cachekey verify --deep`"
	sealRow   = "`cachekey seal`"
	pruneRow  = "`cachekey prune --dry-run`, all of it in use"
	boundRow  = "bound: read and hash all with BLAKE3, on all cores"
)

func main() {
	measure.Bound(bounds)
	session.Main("bench/verify", "", 7, run)
}

func run(s *session.Session) error {
	cachekey, _, err := s.Workdir.Build()
	if err != nil {
		return err
	}
	files := 100_000
	if s.Quick {
		files = 500
	}
	s.Logf("making %d files", files)
	w, err := newWorkspace(s.Workdir.Path("verify", fmt.Sprint(files)), files)
	if err != nil {
		return err
	}
	command := func(args ...string) measure.Command {
		return measure.Command{Args: append([]string{cachekey}, args...), Dir: w.root, Env: s.Workdir.Env()}
	}
	if err := w.findsOneByte(command); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.Write("\n%d files, %d MB, in `.same/store/blobs`.\n", files, w.bytes/1_000_000)
	results, err := s.Measure([]measure.Row{
		{Name: verifyRow, Command: command("verify", "--strict", "--json"), After: w.whole},
		{Name: deepRow, Command: command("verify", "--deep", "--strict", "--json"), After: w.whole},
		{Name: boundRow, Command: measure.Command{Args: []string{self, boundHash, w.list}, Dir: w.root, Env: s.Workdir.Env()}},
		{Name: sealRow, Command: command("seal")},
		{Name: pruneRow, Command: command("prune", "--dry-run", "--json"), After: w.whole},
	}, func(results []measure.Result) string { return report.Table(results, boundRow) })
	if err == nil && !s.Quick {
		s.Targets(targets(results))
	}
	return err
}

// targets returns the design goals of cachekey, at 100,000 files.
func targets(results []measure.Result) []report.Target {
	by := map[string]measure.Result{}
	for _, r := range results {
		by[r.Name] = r
	}
	bound, _, _ := by[boundRow].Wall()
	against := func(row string, limit float64) report.Target {
		wall, _, _ := by[row].Wall()
		return report.Target{Text: row + " ÷ bound", Got: wall.Seconds() / bound.Seconds(), Limit: limit}
	}
	return []report.Target{
		against(verifyRow, 0.5), against(sealRow, 0.5), against(deepRow, 2), // blobs of 4 kB: most of it is lstat
		{Text: "peak memory of `cachekey verify`, MiB", Got: float64(by[verifyRow].Peak()) / (1 << 20), Limit: 64},
	}
}
