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
	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/session"
)

func main() {
	measure.Bound(bounds)
	session.Main("bench/run", "workspace", 5, run)
}

func run(s *session.Session) error {
	tools, versions, err := install(s.Shed)
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
		s.Say("making the workspace of %d tasks", spec.tasks)
		c := &contest{shed: s.Shed, spec: spec, log: s.Shed.Path("executions"), outcomes: map[string]outcome{}}
		if c.origin, err = spec.make(s.Shed.Path("workspaces"), c.log); err != nil {
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
