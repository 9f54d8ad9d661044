package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/peer"
)

// A scenario is one of the measurements of each tool.
type scenario int

const (
	first   scenario = iota // nothing is built
	inPlace                 // nothing to do, where it was built
	back                    // an edit was built and then undone: A, B, A
	branch                  // another branch was built and then this one checked out again
	fresh                   // nothing to do in a fresh checkout, with what CI carries
)

var scenarioNames = []string{
	"first run", "nothing to do, in place", "an input changed and changed back (A, B, A)", "back from another branch",
	"nothing to do, in a fresh checkout with the cache",
}

// The names of the bounds.
const (
	walkRow  = "walk and lstat every input"
	hashRow  = "read and BLAKE3 every input, all cores"
	writeRow = "write every output"
	copyRow  = "write and rename every output, all cores"
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
	used     int // directories that were renamed by anew
}

func (c *contest) dir(name string) string { return filepath.Join(filepath.Dir(c.origin), name) }

// rows returns the rows of the tools.
func (c *contest) rows(tools []tool) ([]measure.Row, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var rows []measure.Row
	for _, t := range tools {
		work := c.work(t)
		if err := c.clone(work); err != nil {
			return nil, err
		}
		empty := func() error { return c.clean(work) }
		if c.spec.outputs > 0 {
			empty = func() error { return errors.Join(c.anew(work), c.clone(work)) }
		}
		rows = append(rows, c.row(t, first, work, empty), c.row(t, inPlace, work, nil))
		if c.spec.outputs == 0 {
			rows = append(rows, c.row(t, back, work, func() error { return c.thereAndBack(t, work) }))
		}
		if c.spec.branch {
			rows = append(rows, c.row(t, branch, work, func() error { return c.switchBranches(t, work) }))
		}
	}
	bound := func(name, kind, dir, from string, before func() error) measure.Row {
		return measure.Row{Name: name, Before: before, Command: measure.Command{Args: []string{self, kind, from}, Dir: dir, Env: env(c.workdir)}}
	}
	if c.spec.outputs > 0 {
		copies := c.dir("copies")
		rows = append(rows, bound(copyRow, boundCopy, copies, c.spec.data, func() error { return c.anew(copies) }))
	} else {
		checkout := c.dir("fresh")
		from := c.dir("work-make")
		rows = append(rows,
			bound(walkRow, boundWalk, checkout, from, func() error { return c.clone(checkout) }),
			bound(hashRow, boundHash, checkout, from, nil),
			bound(writeRow, boundWrite, checkout, from, nil))
	}
	for _, t := range tools {
		rows = append(rows, c.freshRow(t))
	}
	if c.spec.outputs > 0 {
		for i := range rows {
			rows[i].Most = mostRounds
		}
	}
	return rows, nil
}

// work returns the directory in which t works.
func (c *contest) work(t tool) string {
	return c.dir("work-" + strings.Trim(strings.Fields(t.name)[0], "`"))
}

// mostRounds is the maximum number of rounds where each writes many or large files.
const mostRounds = 3

// freshRow measures t in a fresh checkout. Where there are many outputs, that is a new
// directory in each round: ext4 takes long to create files when many were just deleted.
func (c *contest) freshRow(t tool) measure.Row {
	if c.spec.outputs == 0 {
		checkout := c.dir("fresh") // which the rows before have made
		return c.row(t, fresh, checkout, func() error {
			if err := c.clean(checkout); err != nil {
				return err
			}
			return carry(t.carried, c.work(t), checkout)
		})
	}
	checkout := c.dir("fresh-" + filepath.Base(c.work(t)))
	return c.row(t, fresh, checkout, func() error {
		if err := c.anew(checkout); err != nil {
			return err
		}
		if err := c.clone(checkout); err != nil {
			return err
		}
		if err := carry(t.carried, c.work(t), checkout); err != nil {
			return err
		}
		return exec.Command("sync").Run()
	})
}

// anew makes an empty directory. A directory of that name is renamed, and removed by
// tidy.
func (c *contest) anew(dir string) error {
	c.used++
	err := os.Rename(dir, fmt.Sprint(c.dir("used-"), c.used))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.spec.tasks == 1 && c.spec.outputs == 1 { // no inode is missed, and the disk would fill
		if err := c.tidy(); err != nil {
			return err
		}
	}
	return os.Mkdir(dir, 0o755)
}

// tidy removes the directories that were used in earlier rounds, or by an earlier run.
func (c *contest) tidy() error {
	used, err := filepath.Glob(c.dir("used-*"))
	for _, dir := range used {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// thereAndBack changes an input of the first task, on which all others depend, runs
// everything, and undoes the change.
func (c *contest) thereAndBack(t tool, work string) error {
	changed := c.spec.list()[0]
	if err := changed.edit(work); err != nil {
		return err
	}
	if err := c.runOnce(t, work); err != nil {
		return err
	}
	return write(filepath.Join(work, changed.dir(), changed.input(0)), changed.content(0))
}

// switchBranches runs everything on the other branch, and checks this one out again.
func (c *contest) switchBranches(t tool, work string) error {
	if err := git(work, "checkout", "-q", otherBranch); err != nil {
		return err
	}
	if err := c.runOnce(t, work); err != nil {
		return err
	}
	return git(work, "checkout", "-q", "-")
}

// runOnce runs t without measuring it.
func (c *contest) runOnce(t tool, work string) error {
	_, err := measure.Run(measure.Command{Args: t.args, Dir: work, Env: env(c.workdir)})
	return err
}

func git(dir string, args ...string) error {
	out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
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
			did := outcome{bytes.Count(log, []byte("\n")), c.spec.right(dir)}
			c.outcomes[name] = did
			want := outcome{0, c.spec.tasks}
			if s == first {
				want.ran = c.spec.tasks
			}
			// Otherwise, the table shows the results of the others.
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
	if err := c.install(to); err != nil {
		return err
	}
	// The writes of the clone must not disturb the next measurement.
	return exec.Command("sync").Run()
}

// clean removes all untracked files from a checkout, but for nx's packages.
func (c *contest) clean(dir string) error {
	if err := git(dir, "clean", "-fdxq"); err != nil {
		return err
	}
	return c.install(dir)
}

// install links to nx's packages, which it looks for in the workspace.
func (c *contest) install(dir string) error {
	nx, err := c.workdir.NPM("nx", peer.Nx)
	if err != nil {
		return err
	}
	return os.Symlink(filepath.Join(nx, "node_modules"), filepath.Join(dir, "node_modules"))
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
