package engine

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cachekey/internal/manifest"
	"cachekey/internal/nixenv"
	"cachekey/internal/prune"
)

// TestAgainstModel edits random workspaces at random. After every edit, the tasks
// that run are those that the model and the plan name, and the targets contain
// what a run from nothing would make.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for step := range 20 {
				what := "from nothing"
				if step > 0 {
					what = w.edit()
				}
				w.step(fmt.Sprintf("step %d, %s", step, what))
				if t.Failed() {
					t.Fatalf("the model: %s", w.model.manifest(w.log))
				}
			}
		})
	}
}

// A world is a model and a real workspace with the same files.
type world struct {
	t     *testing.T
	model *model
	rand  *rand.Rand
	root  string
	log   string // tasks write their names there; outside the workspace
	bin   string // on PATH, outside the workspace
	moves int
	past  []change // that a switch undoes

	noCache  bool
	selected []int
}

func newWorld(t *testing.T, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{t: t, rand: r, model: newModel(r), root: filepath.Join(t.TempDir(), "w"), log: filepath.Join(t.TempDir(), "log"), bin: t.TempDir()}
	for p, f := range w.model.files {
		w.write(p, f)
	}
	for i := range w.model.programs {
		w.program(fmt.Sprintf("prog%d", i), runner(0))
	}
	// A shim: it stays the same when the version that it chooses changes.
	w.program("shim", "#!/bin/sh\ncat "+filepath.Join(w.bin, "version")+"\n")
	w.program("version", "0")
	return w
}

// program writes a file to the directory on PATH.
func (w *world) program(name, content string) {
	name = filepath.Join(w.bin, name)
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

// Prepare, Resolve and Environment make w the Resolver of the tool own.
func (w *world) Prepare(context.Context, []map[string]string) func() { return func() {} }

func (w *world) Resolve(context.Context, map[string]string) (nixenv.Resolution, error) {
	return nixenv.Resolution{Pinned: fmt.Sprint(w.model.own)}, nil
}

func (w *world) Environment(context.Context, map[string]string, nixenv.Resolution) ([]string, error) {
	return []string{"PATH=" + os.Getenv("PATH")}, nil
}

func (w *world) lookupEnv(name string) (string, bool) {
	if name == "PATH" {
		return w.bin + ":" + os.Getenv("PATH"), true
	}
	return os.LookupEnv(name)
}

func (w *world) write(p string, f modelFile) {
	name := filepath.Join(w.root, p)
	mode := fs.FileMode(0o644)
	if f.exec {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(f.content), mode); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		w.t.Fatal(err)
	}
}

// edit makes one change to both model and workspace, and describes it.
func (w *world) edit() string {
	w.noCache, w.selected = w.rand.IntN(15) == 0, nil
	if w.rand.IntN(5) == 0 {
		w.selected = []int{w.rand.IntN(len(w.model.tasks))}
	}
	paths := slices.DeleteFunc(slices.Sorted(maps.Keys(w.model.files)), func(p string) bool { return p == "run.sh" })
	p := paths[w.rand.IntN(len(paths))]
	f := w.model.files[p]
	name := filepath.Join(w.root, p)
	switch w.rand.IntN(20) {
	case 18, 19:
		w.collect()
		return "removed earlier results"
	case 16, 17:
		w.switchBack()
		return "switched back to older sources"
	case 11:
		i := w.rand.IntN(2)
		w.model.programs[i]++
		w.program(fmt.Sprintf("prog%d", i), runner(w.model.programs[i]))
		return fmt.Sprintf("upgraded prog%d", i)
	case 12:
		w.model.toolchain++
		w.program("version", fmt.Sprint(w.model.toolchain))
		return "upgraded what the shim chooses"
	case 13:
		w.model.own++
		return "changed the own tool"
	case 14:
		w.set("run.sh", modelFile{runner(w.rand.IntN(100)), true})
		return "edited run.sh"
	case 0, 1: // the same size and mtime as before
		st, err := os.Stat(name)
		if err != nil {
			w.t.Fatal(err)
		}
		f.content = w.model.text()
		w.set(p, f)
		if err := os.Chtimes(name, time.Now(), st.ModTime()); err != nil {
			w.t.Fatal(err)
		}
		return "edited " + p + ", with the same size and mtime"
	case 2:
		f.exec = !f.exec
		w.set(p, f)
		return "chmod " + p
	case 3:
		p = strings.Replace(p, "f", fmt.Sprintf("n%d", w.rand.IntN(3)), 1)
		w.set(p, f)
		return "added " + p
	case 4:
		if strings.Contains(p, "f0") {
			return "nothing" // every pattern has to match something
		}
		delete(w.model.files, p)
		if err := os.Remove(name); err != nil {
			w.t.Fatal(err)
		}
		return "removed " + p
	case 5:
		task := w.model.tasks[w.rand.IntN(len(w.model.tasks))]
		task.salt++
		return "changed the command of " + task.name
	case 6:
		if err := os.RemoveAll(filepath.Join(w.root, "out")); err != nil {
			w.t.Fatal(err)
		}
		return "removed the outputs"
	case 7:
		for out := range w.model.outputs {
			w.write(out, modelFile{content: "tampered\n"})
			return "tampered with " + out
		}
		return "nothing"
	case 9:
		for _, task := range w.model.tasks {
			if task.kind == "dir" {
				w.write(task.target()+"/stray", modelFile{content: "stray\n"})
				return "put a stray file beside the outputs of " + task.name
			}
		}
		return "nothing"
	case 8:
		w.move()
		return "moved to another directory, with sources and store only"
	}
	return "nothing"
}

func (w *world) set(p string, f modelFile) {
	if old, ok := w.model.files[p]; ok && p != "run.sh" {
		w.past = append(w.past, change{p, old})
	}
	w.model.files[p] = f
	w.write(p, f)
}

// A change is what a file was before an edit.
type change struct {
	path string
	old  modelFile
}

// switchBack undoes the last edits, as a switch to another branch does.
func (w *world) switchBack() {
	for range min(len(w.past), 1+w.rand.IntN(3)) {
		c := w.past[len(w.past)-1]
		w.past = w.past[:len(w.past)-1]
		if _, ok := w.model.files[c.path]; ok {
			w.model.files[c.path] = c.old
			w.write(c.path, c.old)
		}
	}
}

func (w *world) move() {
	old := w.root
	w.moves++
	w.root = filepath.Join(filepath.Dir(old), fmt.Sprint("moved", w.moves), "w")
	for p, f := range w.model.files {
		w.write(p, f)
	}
	if err := os.CopyFS(filepath.Join(w.root, ".same/store"), os.DirFS(filepath.Join(old, ".same/store"))); err != nil {
		w.t.Fatal(err)
	}
}

// collect removes all results but each task's last, because of their size or their age.
func (w *world) collect() {
	w.model.forget()
	o := prune.Options{Workspace: w.config(nil).Workspace, MaxSize: 0, History: time.Hour, Now: time.Now(), Gone: func(prune.Gone) {}, Warnf: w.t.Errorf}
	if w.rand.IntN(2) == 0 {
		o.MaxSize, o.History = -1, 0
	}
	if _, err := prune.Collect(w.t.Context(), o); err != nil {
		w.t.Error(err)
	}
}

// step plans and runs the tasks, and compares both with the model.
func (w *world) step(what string) {
	w.t.Helper()
	w.write("same.yaml", modelFile{content: w.model.manifest(w.log)})
	names, selected := []string{manifest.All}, w.selected
	if len(selected) == 0 {
		for i := range w.model.tasks {
			selected = append(selected, i)
		}
	} else {
		names = []string{w.model.tasks[selected[0]].name}
	}
	want := w.model.run(selected, w.log, w.noCache)
	planned := w.plan(names)
	_ = os.Remove(w.log)
	warnings := w.run(names)
	data, _ := os.ReadFile(w.log)
	ran := strings.Fields(string(data))
	slices.Sort(ran)
	if !slices.Equal(ran, want) {
		w.t.Errorf("%s: ran %v, want %v; warnings: %s", what, ran, want, warnings)
	}
	for _, task := range planned.Tasks {
		has := slices.Contains(ran, task.Task)
		if task.State == Cached && has && !w.noCache || task.State == Runs && !has {
			w.t.Errorf("%s: %s is planned as %s %v, but ran: %v", what, task.Task, task.State, task.Reasons, has)
		}
	}
	w.compareOutputs(what)
	w.noExtra(what)
}

// compareOutputs compares the targets with what a run from nothing makes.
func (w *world) compareOutputs(what string) {
	w.t.Helper()
	for p, f := range w.model.outputs {
		data, err := os.ReadFile(filepath.Join(w.root, p))
		st, _ := os.Stat(filepath.Join(w.root, p))
		if err != nil || string(data) != f.content || st.Mode()&0o100 != 0 != f.exec {
			w.t.Errorf("%s: got %s %q %v, want %q", what, p, data, err, f.content)
		}
	}
}

// noExtra checks that the targets contain no other files.
func (w *world) noExtra(what string) {
	for _, t := range w.model.tasks {
		if t.kind != "dir" {
			continue
		}
		left, _ := filepath.Glob(filepath.Join(w.root, t.target(), "*"))
		for _, name := range left {
			p, _ := filepath.Rel(w.root, name)
			if _, ok := w.model.outputs[p]; !ok && len(w.selected) == 0 {
				w.t.Errorf("%s: %s is not an output of %s", what, p, t.name)
			}
		}
	}
}

func (w *world) config(warn func(string, ...any)) Config {
	ws, err := manifest.Load(w.root)
	if err != nil {
		w.t.Fatal(err)
	}
	return Config{
		Workspace: ws, System: "x86_64-linux", NoCache: w.noCache,
		LookupEnv: w.lookupEnv, Resolver: w, Report: &Lines{To: &strings.Builder{}}, Warnf: warn,
	}
}

func (w *world) run(names []string) (warnings string) {
	var b strings.Builder
	c := w.config(func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) })
	tasks, err := c.Workspace.Select(names...)
	if err == nil {
		_, err = c.Run(context.Background(), tasks)
	}
	if err != nil {
		w.t.Errorf("%v\n%s", err, c.Report.(*Lines).To)
	}
	return b.String()
}

func (w *world) plan(names []string) *Plan {
	c := w.config(w.t.Logf)
	tasks, err := c.Workspace.Select(names...)
	if err != nil {
		w.t.Fatal(err)
	}
	plan, err := c.Plan(context.Background(), tasks)
	if err != nil {
		w.t.Fatal(err)
	}
	return plan
}
