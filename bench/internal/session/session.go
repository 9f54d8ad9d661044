// Package session is what the benchmarks' programs have in common: their flags, the
// page that a run of one writes, and how it ends.
package session

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/peer"
	"cachekey/bench/internal/report"
)

// A Session is one run of a benchmark.
type Session struct {
	Workdir *peer.Workdir
	Quick   bool // one round on small trees: it tests the benchmark, and measures nothing

	name   string // such as bench/key; also the name of its part of docs/benchmarks.md
	rounds int
	only   string
	page   strings.Builder
	missed int // targets
}

// Main runs a benchmark and exits. The name is the benchmark's directory relative to
// the root of the source; part is the name of the flag that selects one of several
// trees or workspaces, or ""; rounds is the default of --rounds.
func Main(name, part string, rounds int, run func(*Session) error) {
	measure.Launched()
	s := &Session{name: name}
	if err := s.main(os.Args[1:], part, rounds, run); err != nil {
		fmt.Fprintf(os.Stderr, "%s: error: %v\n", name, err)
		os.Exit(1)
	}
}

func (s *Session) main(args []string, part string, rounds int, run func(*Session) error) (err error) {
	flags := pflag.NewFlagSet(s.name, pflag.ContinueOnError)
	dir := flags.String("dir", "", "directory for other tools and generated trees, kept between runs (default: in the user's cache directory)")
	flags.IntVar(&s.rounds, "rounds", rounds, "number of measurements of each row")
	flags.BoolVar(&s.Quick, "quick", false, "one round on small trees: tests the benchmark, measures nothing")
	write := flags.Bool("write", false, "write the tables to docs/benchmarks.md")
	if part != "" {
		flags.StringVar(&s.only, part, "", "measure only the "+part+" of this name")
	}
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *write && (s.Quick || s.only != "") {
		return errors.New("--write needs a complete run: it cannot be combined with --quick or with one tree or workspace")
	}
	if s.Quick {
		s.rounds = 1
	}
	if s.Workdir, err = peer.Open(*dir); err != nil {
		return err
	}
	s.Write("%s.\n", measure.Machine())
	start := measure.LoadNow()
	if busy := measure.Idle(); busy > 0.05 {
		s.note("the machine was not idle before: other programs used %.0f %% of its CPU time", 100*busy)
	}
	if err := run(s); err != nil {
		return err
	}
	s.Logf("took %v", start.Elapsed())
	fmt.Print(s.page.String())
	if *write {
		if err := report.Replace(s.Workdir.Source+"/docs/benchmarks.md", s.name, s.page.String()); err != nil {
			return err
		}
	}
	if s.missed > 0 {
		return fmt.Errorf("%d targets missed", s.missed)
	}
	return nil
}

// Wants reports whether the part of that name is measured.
func (s *Session) Wants(part string) bool { return s.only == "" || s.only == part }

// Whole reports whether the targets apply to the results.
func (s *Session) Whole() bool { return !s.Quick && s.only == "" }

// Logf prints progress to standard error.
func (s *Session) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, s.name+": "+format+"\n", args...)
}

// Write adds to the page.
func (s *Session) Write(format string, args ...any) { fmt.Fprintf(&s.page, format, args...) }

func (s *Session) note(format string, args ...any) {
	s.Logf("warning: "+format, args...)
	s.Write("\nNote: "+format+".\n", args...)
}

// Measure runs the rounds of the rows and adds to the page what table makes of them.
func (s *Session) Measure(rows []measure.Row, table func([]measure.Result) string) ([]measure.Result, error) {
	before := measure.LoadNow()
	results, err := measure.Rounds(rows, s.rounds, func(line string) { s.Logf("%s", line) })
	if err != nil {
		return nil, err
	}
	s.Write("\n%s", table(results))
	if busy := before.Since(measure.Spent(results)); busy > 0.1 {
		s.note("other programs used about %.0f %% of the CPU time meanwhile", 100*busy)
	}
	return results, nil
}

// Targets adds the targets to the page; one that is missed makes the run fail.
func (s *Session) Targets(targets []report.Target) {
	text, missed := report.Targets(targets)
	s.missed += missed
	s.Write("\n%s", text)
}
