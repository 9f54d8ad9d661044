// Command run measures `same run` beside other task runners on the same tasks:
// the first run, one with nothing to do, and one with nothing to do in a fresh
// checkout that has only what CI carries from run to run.
//
//	go run ./bench/run [--quick] [--rounds N] [--write]
//
// Tasks count as executed when they left a line in a log, whatever the runner
// says, and outputs as right when their bytes are. If same runs a task or leaves
// out an output in the last two, that is an error. With --write the tables go
// into docs/benchmarks.md.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/peer"
	"cachekey/bench/internal/report"
)

func main() {
	measure.Launched()
	measureBound()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/run: error:", err)
		os.Exit(1)
	}
}

func run() error {
	dir := pflag.String("dir", "", "where workspaces and peers are kept between runs (default: the user's cache directory)")
	rounds := pflag.Int("rounds", 5, "how often everything is measured")
	quick := pflag.Bool("quick", false, "a small workspace and one round: shows that the benchmark works, measures nothing")
	write := pflag.Bool("write", false, "put the tables into docs/benchmarks.md")
	only := pflag.String("workspace", "", "measure only the workspace of this name")
	pflag.Parse()
	if *write && (*quick || *only != "") {
		return errors.New("the tables are of a whole run: --write goes neither with --quick nor with one tree or workspace")
	}

	shed, err := peer.Open(*dir)
	if err != nil {
		return err
	}
	tools, versions, err := install(shed)
	if err != nil {
		return err
	}
	specs := specs
	if *quick {
		*rounds, specs = 1, quickSpecs
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s.\n\n%s.\n", measure.Machine(), versions)
	start := measure.LoadNow()
	if busy := measure.Idle(); busy > 0.05 {
		note(&text, "the machine was not idle before: %.0f %% of it was busy", 100*busy)
	}
	missed := 0
	for _, spec := range specs {
		if *only != "" && *only != spec.name {
			continue
		}
		say("making the workspace of %d tasks", spec.tasks)
		c := &contest{shed: shed, spec: spec, log: shed.Path("executions"), outcomes: map[string]outcome{}}
		if c.origin, err = spec.make(shed.Path("workspaces"), c.log); err != nil {
			return err
		}
		rows, err := c.rows(tools)
		if err != nil {
			return err
		}
		before := measure.LoadNow()
		results, err := measure.Rounds(rows, *rounds, func(line string) { say("%s: %s", spec.name, line) })
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "\n### %d tasks, %d files of 4 KiB\n\n%s", spec.tasks, spec.files, c.table(results))
		if busy := before.Since(elapsedIn(results)); busy > 0.1 {
			note(&text, "other programs used about %.0f %% of the machine meanwhile", 100*busy)
		}
		if !*quick {
			verdicts, n := report.Targets(c.targets(results))
			missed += n
			text.WriteString("\n" + verdicts)
		}
	}
	say("%v in all", start.Elapsed())
	fmt.Print(text.String())
	if *write {
		if err := report.Replace(shed.Source+"/docs/benchmarks.md", "bench/run", text.String()); err != nil {
			return err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}

func elapsedIn(results []measure.Result) (sum time.Duration) {
	for _, r := range results {
		for _, s := range r.Samples {
			sum += s.CPU
		}
	}
	return sum
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench/run: "+format+"\n", args...)
}

func note(text *strings.Builder, format string, args ...any) {
	say("warning: "+format, args...)
	fmt.Fprintf(text, "\nNote: "+format+".\n", args...)
}
