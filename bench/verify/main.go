// Command verify measures the life of a restored cache on 100,000 files: seal,
// verify and prune, beside the time that it takes to read and hash the same
// bytes at all.
//
//	go run ./bench/verify [--quick] [--rounds N] [--write]
//
// It first makes sure that verify finds a file with one wrong byte. With --write
// the tables go into docs/benchmarks.md.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/peer"
	"cachekey/bench/internal/report"
)

// The names of the rows.
const (
	verifyRow = "`cachekey verify`"
	sealRow   = "`cachekey seal`"
	pruneRow  = "`cachekey prune --dry-run`, all of it in use"
	boundRow  = "bound: read and hash all with BLAKE3, on all cores"
)

func main() {
	measure.Launched()
	readBound()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/verify: error:", err)
		os.Exit(1)
	}
}

func run() error {
	dir := pflag.String("dir", "", "where the cache is kept between runs (default: in the user's cache directory)")
	rounds := pflag.Int("rounds", 7, "how often everything is measured")
	quick := pflag.Bool("quick", false, "a small cache and one round: shows that the benchmark works, measures nothing")
	write := pflag.Bool("write", false, "put the tables into docs/benchmarks.md")
	pflag.Parse()

	shed, err := peer.Open(*dir)
	if err != nil {
		return err
	}
	cachekey, _, err := shed.Build()
	if err != nil {
		return err
	}
	files := 100_000
	if *quick {
		*rounds, files = 1, 500
	}
	w, err := newWorkspace(shed.Path("verify", fmt.Sprint(files)), files)
	if err != nil {
		return err
	}
	command := func(args ...string) measure.Command {
		return measure.Command{Args: append([]string{cachekey}, args...), Dir: w.root, Env: shed.Env()}
	}
	if err := w.findsOneByte(command); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	rows := []measure.Row{
		{Name: verifyRow, Command: command("verify", "--strict", "--json"), After: w.whole},
		{Name: boundRow, Command: measure.Command{Args: []string{self, boundHash, w.list}, Dir: w.root, Env: shed.Env()}},
		{Name: sealRow, Command: command("seal")},
		{Name: pruneRow, Command: command("prune", "--dry-run", "--json"), After: w.whole},
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s.\n\n%d files, %d MB, in `.same/store/blobs`.\n\n", measure.Machine(), files, w.bytes/1_000_000)
	if busy := measure.Idle(); busy > 0.05 {
		say("warning: the machine was not idle before: %.0f %% of it was busy", 100*busy)
		fmt.Fprintf(&text, "Note: the machine was not idle before: %.0f %% of it was busy.\n\n", 100*busy)
	}
	results, err := measure.Rounds(rows, *rounds, func(line string) { say("%s", line) })
	if err != nil {
		return err
	}
	text.WriteString(report.Table(results, boundRow))
	missed := 0
	if !*quick {
		var verdicts string
		verdicts, missed = report.Targets(targets(results))
		text.WriteString("\n" + verdicts)
	}
	fmt.Print(text.String())
	if *write {
		if err := report.Replace(shed.Source+"/docs/benchmarks.md", "bench/verify", text.String()); err != nil {
			return err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}

// targets are what cachekey was built to, at 100,000 files.
func targets(results []measure.Result) []report.Target {
	by := map[string]measure.Result{}
	for _, r := range results {
		by[r.Name] = r
	}
	verify, _, _ := by[verifyRow].Wall()
	bound, _, _ := by[boundRow].Wall()
	return []report.Target{
		{Text: "`cachekey verify` ÷ bound", Got: verify.Seconds() / bound.Seconds(), Limit: 1.5},
		{Text: "peak memory of `cachekey verify`, MiB", Got: float64(by[verifyRow].Peak()) / (1 << 20), Limit: 64},
	}
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench/verify: "+format+"\n", args...)
}
