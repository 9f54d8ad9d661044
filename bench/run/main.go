// Command run compares `same run` with other task runners on the same tasks:
// the first run, one with nothing to do, and one with nothing to do in a fresh
// checkout that has only what CI carries from run to run.
//
//	go run ./bench/run [--quick] [--rounds N] [--write]
//
// A task counts as executed when it has written a line to a log, whatever the runner
// prints, and an output as correct when its bytes are. In the last two scenarios it
// is an error if same runs a task or leaves out an output. With --write the tables
// are written to docs/benchmarks.md.
package main

import (
	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/session"
)

func main() {
	measure.Bound(bounds)
	session.Main("bench/run", "workspace", 5, run)
}

func run(s *session.Session) error {
	tools, versions, err := install(s.Workdir)
	if err != nil {
		return err
	}
	s.Write("\n%s.\n", versions)
	specs := specs
	if s.Quick {
		specs = quickSpecs
	}
	for _, spec := range specs {
		if !s.Wants(spec.name) {
			continue
		}
		s.Logf("making the workspace of %d tasks", spec.tasks)
		c := &contest{workdir: s.Workdir, spec: spec, log: s.Workdir.Path("executions"), outcomes: map[string]outcome{}}
		if c.origin, err = spec.make(s.Workdir.Path("workspaces"), c.log); err != nil {
			return err
		}
		rows, err := c.rows(tools)
		if err != nil {
			return err
		}
		s.Write("\n### %d tasks, %d files of 4 KiB\n", spec.tasks, spec.files)
		results, err := s.Measure(rows, c.table)
		if err != nil {
			return err
		}
		if !s.Quick {
			s.Targets(c.targets(results))
		}
	}
	return nil
}
