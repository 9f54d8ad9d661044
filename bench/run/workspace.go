package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"cachekey/bench/internal/tree"
)

// A spec describes a workspace: tasks that each read their own files of 4 KiB and write
// some of them into one output; or, with outputs, tasks that each read one file and copy
// their outputs from elsewhere.
type spec struct {
	name   string
	tasks  int
	files  int
	branch bool // measure a switch between two branches

	outputs  int                          // files that each task makes
	size     func(rng *rand.Rand) (n int) // of one of them, in bytes
	describe string
	data     string // the directory of the outputs: <data>/<task>
}

var specs = []spec{
	{name: "100", tasks: 100, files: 3_000},
	{name: "300", tasks: 300, files: 30_000, branch: true},
	{name: "1000", tasks: 1000, files: 30_000},
	{name: "small", tasks: 100, files: 100, outputs: 20, size: between(4<<10, 16<<10), describe: "100 tasks, each with 20 outputs of 4 to 16 KiB"},
	{name: "large", tasks: 1, files: 1, outputs: 1, size: between(1<<30, 1<<30), describe: "one output of 1 GiB"},
	{name: "many", tasks: 1, files: 1, outputs: 50_000, size: between(200, 6000), describe: "50,000 outputs of one task, of 200 to 6,000 bytes"},
}

var quickSpecs = []spec{
	{name: "quick", tasks: 12, files: 120, branch: true},
	{name: "quick-outputs", tasks: 3, files: 3, outputs: 250, size: between(100, 5000), describe: "3 tasks, each with 250 outputs of 100 to 5,000 bytes"},
}

func between(least, most int) func(*rand.Rand) int {
	return func(rng *rand.Rand) int { return least + rng.IntN(most-least+1) }
}

const (
	fileSize   = 4 << 10
	perProject = 10 // tasks a project of same's has
	perDir     = 25 // files a directory has
	fanOut     = 8  // tasks that depend on the same one
)

// A task is a task of the workspace, in the directory p<project>/t<number>.
type task struct {
	number int
	files  int
	from   string // the directory that it copies to its output; "" if it joins inputs
}

func (s spec) list() []task {
	list := make([]task, s.tasks)
	for i := range list {
		list[i] = task{number: i, files: s.files / s.tasks}
		if s.outputs > 0 {
			list[i].from = filepath.Join(s.data, list[i].name())
		}
	}
	return list
}

func (t task) project() int   { return t.number / perProject }
func (t task) name() string   { return fmt.Sprintf("t%d", t.number) }
func (t task) dir() string    { return fmt.Sprintf("p%d/%s", t.project(), t.name()) }
func (t task) output() string { return t.dir() + "/out/result" }

// before returns the task that t depends on, if any.
func (t task) before() (task, bool) {
	return task{number: (t.number - 1) / fanOut, files: t.files}, t.number > 0 && t.from == ""
}

// script returns the command of the task, in its own directory: it writes a line to
// log, so that executed tasks can be counted, and joins one input in ten or copies its
// outputs.
func (t task) script(log string) string {
	if t.from != "" {
		return fmt.Sprintf("echo %s >> %s && mkdir -p out && cp -R %s/. out", t.name(), log, t.from)
	}
	return fmt.Sprintf("echo %s >> %s && mkdir -p out && cat src/*/*0.txt > out/result", t.name(), log)
}

func (t task) input(i int) string {
	return fmt.Sprintf("src/d%02d/f%02d.txt", i/perDir, i%perDir)
}

// content returns the content of input i of t.
func (t task) content(i int) []byte {
	rng := rand.New(rand.NewPCG(uint64(t.number), uint64(i)))
	b := make([]byte, 0, fileSize)
	for len(b) < fileSize {
		b = fmt.Appendf(b, "%016x\n", rng.Uint64())
	}
	return b[:fileSize]
}

// want returns the expected output of t.
func (t task) want() []byte {
	var b bytes.Buffer
	for i := range t.files {
		if i%perDir%10 == 0 {
			b.Write(t.content(i))
		}
	}
	return b.Bytes()
}

// make writes the workspace as a git repository below dir, once, and returns its root.
func (s spec) make(dir, log string) (string, error) {
	root := filepath.Join(dir, s.name, "origin")
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	building := root + ".building"
	if err := os.RemoveAll(building); err != nil {
		return "", err
	}
	if err := s.makeOutputs(); err != nil {
		return "", err
	}
	for name, text := range manifests(s.list(), log) {
		if err := write(filepath.Join(building, name), []byte(text)); err != nil {
			return "", err
		}
	}
	for _, t := range s.list() {
		for i := range t.files {
			if err := write(filepath.Join(building, t.dir(), t.input(i)), t.content(i)); err != nil {
				return "", err
			}
		}
	}
	if err := tree.Commit(building); err != nil {
		return "", err
	}
	if s.branch {
		if err := s.makeBranch(building); err != nil {
			return "", err
		}
	}
	return root, os.Rename(building, root)
}

// edit changes an input of t in the workspace at root, and with it t's output.
func (t task) edit(root string) error {
	return write(filepath.Join(root, t.dir(), t.input(0)), append([]byte("changed "), t.content(0)[8:]...))
}

// otherBranch is the branch on which an input of each task is another.
const otherBranch = "other"

func (s spec) makeBranch(root string) error {
	if err := git(root, "checkout", "-q", "-b", otherBranch); err != nil {
		return err
	}
	for _, t := range s.list() {
		if err := t.edit(root); err != nil {
			return err
		}
	}
	if err := tree.Commit(root); err != nil {
		return err
	}
	return git(root, "checkout", "-q", "-")
}

// makeOutputs writes what the tasks copy.
func (s spec) makeOutputs() error {
	for _, t := range s.list() {
		if t.from == "" {
			return nil
		}
		rng := rand.New(rand.NewPCG(uint64(t.number), 0))
		for i := range s.outputs {
			b := make([]byte, s.size(rng))
			for at := 0; at < len(b); at += 8 {
				copy(b[at:], binary.LittleEndian.AppendUint64(nil, rng.Uint64()))
			}
			if err := write(filepath.Join(t.from, fmt.Sprintf("d%03d", i/perOutputDir), fmt.Sprintf("f%d", i)), b); err != nil {
				return err
			}
		}
	}
	return nil
}

const perOutputDir = 100 // files a directory of outputs has

func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// right counts the tasks whose outputs exist in root and are correct.
func (s spec) right(root string) (right int) {
	for _, t := range s.list() {
		if t.from != "" {
			if sameTree(t.from, filepath.Join(root, t.dir(), "out")) {
				right++
			}
			continue
		}
		got, err := os.ReadFile(filepath.Join(root, t.output()))
		if err == nil && bytes.Equal(got, t.want()) {
			right++
		}
	}
	return right
}

// sameTree reports whether two directories have the same files.
func sameTree(want, got string) bool {
	count := func(root string) (n int) {
		_ = filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				n++
			}
			return err
		})
		return n
	}
	n := 0
	err := filepath.WalkDir(want, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		n++
		rel, err := filepath.Rel(want, name)
		if err != nil {
			return err
		}
		a, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(got, rel))
		if err == nil && !bytes.Equal(a, b) {
			err = errors.New("it differs")
		}
		return err
	})
	return err == nil && n > 0 && count(got) == n
}
