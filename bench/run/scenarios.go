package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/peer"
)

// A scenario is one of the three measurements of each tool.
type scenario int

const (
	first   scenario = iota // nothing is built
	inPlace                 // nothing to do, where it was built
	fresh                   // the same in a fresh checkout, with what CI carries
)

var scenarioNames = []string{"first run", "nothing to do, in place", "nothing to do, in a fresh checkout with the cache"}

// The names of the bounds.
const (
	walkRow  = "walk and lstat every input"
	hashRow  = "read and BLAKE3 every input, all cores"
	writeRow = "write every output"
)

// An outcome is the result of the last run of a tool in a scenario.
type outcome struct{ ran, right int }

// A contest measures all tools in one workspace.
type contest struct {
	workdir  *peer.Workdir
	spec     spec
	origin   string // the repository that all work in clones of
	log      string // every task writes a line to it
	outcomes map[string]outcome
}

func (c *contest) dir(name string) string { return filepath.Join(filepath.Dir(c.origin), name) }

// rows returns the rows of the tools. The first rows make a fresh checkout, which the
// others clean and use in turn.
func (c *contest) rows(tools []tool) ([]measure.Row, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	checkout := c.dir("fresh")
	bound := func(name, kind string, before func() error) measure.Row {
		return measure.Row{Name: name, Before: before, Command: measure.Command{
			Args: []string{self, kind, c.dir("work-make")}, Dir: checkout, Env: env(c.workdir)}}
	}
	var rows []measure.Row
	for _, t := range tools {
		work := c.dir("work-" + strings.Trim(strings.Fields(t.name)[0], "`"))
		if err := c.clone(work); err != nil {
			return nil, err
		}
		rows = append(rows,
			c.row(t, first, work, func() error { return clean(work) }),
			c.row(t, inPlace, work, nil))
	}
	rows = append(rows,
		bound(walkRow, boundWalk, func() error { return c.clone(checkout) }),
		bound(hashRow, boundHash, nil),
		bound(writeRow, boundWrite, nil))
	for i, t := range tools {
		work := rows[2*i].Command.Dir
		rows = append(rows, c.row(t, fresh, checkout, func() error {
			if err := clean(checkout); err != nil {
				return err
			}
			return carry(t.carried, work, checkout)
		}))
	}
	return rows, nil
}

// row measures t in one scenario, and records the result in c.outcomes.
func (c *contest) row(t tool, s scenario, dir string, before func() error) measure.Row {
	name := rowName(t.name, s)
	return measure.Row{
		Name:    name,
		Command: measure.Command{Args: t.args, Dir: dir, Env: env(c.workdir)},
		Before: func() error {
			if before != nil {
				if err := before(); err != nil {
					return err
				}
			}
			return os.WriteFile(c.log, nil, 0o644)
		},
		After: func([]byte) error {
			log, err := os.ReadFile(c.log)
			if err != nil {
				return err
			}
			did := outcome{bytes.Count(log, []byte("\n")), c.spec.outputs(dir)}
			c.outcomes[name] = did
			want := outcome{0, c.spec.tasks}
			if s == first {
				want.ran = c.spec.tasks
			}
			// In a fresh checkout, the table shows the results of the others.
			if did != want && (s == first || t.name == sameName) {
				return fmt.Errorf("%d tasks ran and %d outputs are correct, want %d and %d", did.ran, did.right, want.ran, want.right)
			}
			return nil
		},
	}
}

func rowName(tool string, s scenario) string { return tool + ": " + scenarioNames[s] }

// clone makes a fresh checkout at to.
func (c *contest) clone(to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if out, err := exec.Command("git", "clone", "-q", c.origin, to).CombinedOutput(); err != nil {
		return fmt.Errorf("git clone: %w: %s", err, out)
	}
	// The writes of the clone must not disturb the next measurement.
	return exec.Command("sync").Run()
}

// clean removes all untracked files from a checkout.
func clean(dir string) error {
	if out, err := exec.Command("git", "-C", dir, "clean", "-fdxq").CombinedOutput(); err != nil {
		return fmt.Errorf("git clean: %w: %s", err, out)
	}
	return nil
}

// carry copies the files that CI would carry, if any.
func carry(names []string, from, to string) error {
	for _, name := range names {
		source := filepath.Join(from, name)
		info, err := os.Lstat(source)
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if !info.IsDir() {
			if err := copyFile(source, target); err != nil {
				return err
			}
			continue
		}
		err = filepath.WalkDir(source, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(source, file)
			if err != nil {
				return err
			}
			return copyFile(file, filepath.Join(target, rel))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := write(to, text); err != nil {
		return err
	}
	return os.Chmod(to, info.Mode().Perm())
}
