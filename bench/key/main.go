// Command key measures cachekey beside the other ways to name a source tree:
// Nix, go-nix and GitHub's hashFiles, and beside the time that it takes to read
// and hash the same bytes at all.
//
//	go run ./bench/key [--quick] [--rounds N] [--write]
//
// It first makes sure that all who should give one answer do, and measures then,
// taking turns. With --write the tables go into docs/benchmarks.md.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/peer"
	"cachekey/bench/internal/report"
	"cachekey/bench/internal/tree"
)

func main() {
	measure.Launched()
	readBound()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/key: error:", err)
		os.Exit(1)
	}
}

func run() error {
	dir := pflag.String("dir", "", "where trees and peers are kept between runs (default: the user's cache directory)")
	rounds := pflag.Int("rounds", 5, "how often everything is measured")
	quick := pflag.Bool("quick", false, "a small tree and one round: shows that the benchmark works, measures nothing")
	write := pflag.Bool("write", false, "put the tables into docs/benchmarks.md")
	only := pflag.String("tree", "", "measure only the tree of this name")
	pflag.Parse()
	if *write && (*quick || *only != "") {
		return errors.New("the tables are of a whole run: --write goes neither with --quick nor with one tree or workspace")
	}

	shed, err := peer.Open(*dir)
	if err != nil {
		return err
	}
	peers, err := install(shed)
	if err != nil {
		return err
	}
	specs := specs
	if *quick {
		*rounds, specs = 1, quickSpecs
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s.\n\n%s.\n", measure.Machine(), peers.versions)
	start := measure.LoadNow()
	if busy := measure.Idle(); busy > 0.05 {
		note(&text, "the machine was not idle before: %.0f %% of it was busy", 100*busy)
	}
	measured := results{}
	for _, spec := range specs {
		if *only != "" && *only != spec.Name {
			continue
		}
		say("making the tree %s", spec.Name)
		t, err := tree.Make(shed.Path("trees"), spec)
		if err != nil {
			return err
		}
		say("comparing answers")
		rows, err := peers.rows(t)
		if err != nil {
			return err
		}
		before := measure.LoadNow()
		result, err := measure.Rounds(rows, *rounds, func(line string) { say("%s: %s", spec.Name, line) })
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "\n### %s\n\n%s", title(spec), report.Table(result, boundRow))
		if busy := before.Since(ownTime(result)); busy > 0.1 {
			note(&text, "other programs used about %.0f %% of the machine meanwhile", 100*busy)
		}
		measured[spec.Name] = result
	}
	missed := 0
	if !*quick && *only == "" {
		var verdicts string
		verdicts, missed = report.Targets(measured.targets())
		text.WriteString("\n### Targets\n\n" + verdicts)
	}
	say("%v in all", start.Elapsed())
	fmt.Print(text.String())
	if *write {
		if err := report.Replace(shed.Source+"/docs/benchmarks.md", "bench/key", text.String()); err != nil {
			return err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench/key: "+format+"\n", args...)
}

func note(text *strings.Builder, format string, args ...any) {
	say("warning: "+format, args...)
	fmt.Fprintf(text, "\nNote: "+format+".\n", args...)
}
