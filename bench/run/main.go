// Command run compares `same run` with other task runners on the same tasks:
// the first run, one with nothing to do, one after a change was undone or a branch was
// left, and one with nothing to do in a fresh checkout that has only what CI carries from
// run to run. Some workspaces have many outputs or a large one: of these, make and go-task
// restore none, and are not measured.
//
//	go run ./bench/run [--quick] [--rounds N] [--write]
//
// A task counts as executed when it has written a line to a log, whatever the runner
// prints, and an output as correct when its bytes are. Except in the first scenario it
// is an error if same runs a task or leaves out an output. With --write the tables
// are written to docs/benchmarks.md.
package main

import (
	"fmt"

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
	s.Write("\nThe workspaces are on %s.\n", measure.FileSystem(s.Workdir.Path()))
	specs := specs
	if s.Quick {
		specs = quickSpecs
	}
	for _, spec := range specs {
		if !s.Wants(spec.name) {
			continue
		}
		s.Logf("making the workspace %s", spec.name)
		spec.data = s.Workdir.Path("run", spec.name, "data")
		c := &contest{workdir: s.Workdir, spec: spec, log: s.Workdir.Path("executions"), outcomes: map[string]outcome{}}
		if c.origin, err = spec.make(s.Workdir.Path("run"), c.log); err != nil {
			return err
		}
		measured, about := tools, fmt.Sprintf("%d tasks, %d files of 4 KiB", spec.tasks, spec.files)
		if spec.outputs > 0 {
			measured, about = tools[:restoring], spec.describe
		}
		if err := c.tidy(); err != nil {
			return err
		}
		rows, err := c.rows(measured)
		if err != nil {
			return err
		}
		s.Write("\n### %s\n", about)
		results, err := s.Measure(rows, c.table)
		if err != nil {
			return err
		}
		if err := c.tidy(); err != nil {
			return err
		}
		if !s.Quick {
			s.Targets(c.targets(results))
		}
	}
	return nil
}
