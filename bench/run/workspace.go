package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"cachekey/bench/internal/tree"
)

// A spec describes a workspace: tasks that each read their own files of
// 4 KiB and write some of them into one output.
type spec struct {
	name  string
	tasks int
	files int
}

var specs = []spec{
	{"100", 100, 3_000},
	{"300", 300, 30_000},
	{"1000", 1000, 30_000},
}

var quickSpecs = []spec{{"quick", 12, 120}}

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
}

func (s spec) list() []task {
	list := make([]task, s.tasks)
	for i := range list {
		list[i] = task{number: i, files: s.files / s.tasks}
	}
	return list
}

func (t task) project() int   { return t.number / perProject }
func (t task) name() string   { return fmt.Sprintf("t%d", t.number) }
func (t task) dir() string    { return fmt.Sprintf("p%d/%s", t.project(), t.name()) }
func (t task) output() string { return t.dir() + "/out/result" }

// before returns the task that t depends on, if any.
func (t task) before() (task, bool) {
	return task{number: (t.number - 1) / fanOut, files: t.files}, t.number > 0
}

// script returns the command of the task, in its own directory: it writes a line to
// log, so that executed tasks can be counted, and joins one input in ten.
func (t task) script(log string) string {
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
	return root, os.Rename(building, root)
}

func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// outputs counts the tasks whose output exists in root and is correct.
func (s spec) outputs(root string) (right int) {
	for _, t := range s.list() {
		got, err := os.ReadFile(filepath.Join(root, t.output()))
		if err == nil && bytes.Equal(got, t.want()) {
			right++
		}
	}
	return right
}
