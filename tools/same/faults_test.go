package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// same returns a command that runs this test binary as same, in dir. It is killed after
// some minutes, so that the test names what hangs.
func same(dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	context.AfterFunc(ctx, cancel)
	cmd := exec.CommandContext(ctx, ownPath(), args...)
	cmd.Dir, cmd.WaitDelay = dir, time.Minute
	cmd.Env = append(os.Environ(), "RUN_SAME=1", "GITHUB_ACTIONS=")
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// ownPath returns the path of this program.
func ownPath() string {
	own, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return own
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd, out := same(dir, args...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("same %v: %v\n%s", args, err, out)
	}
	return out.String()
}

func write(t *testing.T, name, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// chain makes a workspace of tasks that each copy the output of the one before,
// slowly, so that a kill comes while they run.
func chain(t *testing.T, dir string, n int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("version: \"1\"\ntasks:\n")
	for i := range n {
		from, depends := "src", ""
		if i > 0 {
			from, depends = fmt.Sprintf("out/%d/*", i-1), fmt.Sprintf(", dependsOn: [t%d]", i-1)
		}
		fmt.Fprintf(&b, "  t%d: {input: [src, salt], target: [out/%[1]d], cmd: [sh, -c, 'echo t%[1]d >>ran; mkdir -p out/%[1]d; for n in 1 2 3; do cat %[2]s salt >out/%[1]d/$n; done']%[3]s}\n", i, from, depends)
	}
	write(t, filepath.Join(dir, "same.yaml"), b.String())
	write(t, filepath.Join(dir, "src"), strings.Repeat("source\n", 100))
	write(t, filepath.Join(dir, "salt"), "0\n")
}

// outputs returns a listing of everything below out.
func outputs(t *testing.T, dir string) string {
	t.Helper()
	list, err := exec.Command("sh", "-c", `cd "$1" && find out -type f -exec sha256sum {} + | LC_ALL=C sort -k2`, "sh", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	return string(list)
}

// fromNothing returns the outputs of a workspace that has never been built.
func fromNothing(t *testing.T, dir string) string {
	t.Helper()
	clean := t.TempDir()
	for _, name := range []string{"same.yaml", "src", "salt"} {
		write(t, filepath.Join(clean, name), read(t, filepath.Join(dir, name)))
	}
	run(t, clean, "run", "all")
	return outputs(t, clean)
}

// TestKilledAtAnyMoment checks that a run after a killed one has the outputs of a run
// from nothing.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	chain(t, dir, 6)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 20 {
		write(t, filepath.Join(dir, "salt"), fmt.Sprintf("%d\n", r.IntN(4)))
		if r.IntN(3) == 0 {
			if err := os.RemoveAll(filepath.Join(dir, "out")); err != nil {
				t.Fatal(err)
			}
		}
		cmd, _ := same(dir, "run", "all")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.IntN(40_000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out := run(t, dir, "run", "all")
		if got, want := outputs(t, dir), fromNothing(t, dir); got != want {
			t.Fatalf("after kill %d: got\n%s\nwant\n%s\nthe run printed:\n%s", i, got, want, out)
		}
		if strings.Contains(out, "warning") && !strings.Contains(out, "not outputs of a stored result") {
			t.Errorf("after kill %d: %s", i, out)
		}
	}
}

// TestKilledRunLeavesTaskRunning checks that tasks that a killed run leaves running do
// not write to the outputs of the next run.
func TestKilledRunLeavesTaskRunning(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("same.yaml"), `version: "1"
tasks:
  t:
    input: [src]
    target: [out]
    cmd:
      - sh
      - -c
      - |
        if [ -e slow ]; then
          (echo ready >ready; while [ ! -e go ]; do sleep 0.01; done; echo old >>out; touch wrote) &
          wait
        fi
        cp src out
        while [ ! -e wrote ]; do sleep 0.01; done
`)
	write(t, at("src"), "old source\n")
	write(t, at("slow"), "")
	killed, _ := same(dir, "run", "all")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, at("ready"))
	_ = killed.Process.Kill()
	_ = killed.Wait()
	if err := os.Remove(at("slow")); err != nil {
		t.Fatal(err)
	}
	write(t, at("src"), "source\n")
	next, _ := same(dir, "run", "all")
	printed, err := os.Create(at("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer printed.Close()
	next.Stdout, next.Stderr = printed, printed
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, at("log")) // it waits, or it starts
	write(t, at("go"), "")
	if err := next.Wait(); err != nil {
		t.Errorf("%v\n%s", err, read(t, at("log")))
	}
	if !strings.Contains(read(t, at("log")), "Waiting for tasks that a killed same run") {
		t.Errorf("it did not print what it waits for:\n%s", read(t, at("log")))
	}
	if got := read(t, at("out")); got != "source\n" {
		t.Errorf("out: got %q", got)
	}
}

// TestConcurrentRuns checks that concurrent runs in one workspace wait for each other,
// and print that.
func TestConcurrentRuns(t *testing.T) {
	dir := t.TempDir()
	chain(t, dir, 4)
	var cmds []*exec.Cmd
	var outs []*bytes.Buffer
	for range 4 {
		cmd, out := same(dir, "run", "all")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds, outs = append(cmds, cmd), append(outs, out)
	}
	waited := 0
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, outs[i])
		}
		waited += strings.Count(outs[i].String(), "Waiting for another same run in this workspace")
	}
	if got := read(t, filepath.Join(dir, "ran")); got != "t0\nt1\nt2\nt3\n" {
		t.Errorf("got runs %q", got)
	}
	if waited == 0 {
		t.Error("no run printed that it waits")
	}
}

// TestRunInsideRun checks the error of a task that runs same in its own workspace, and
// would wait for itself.
func TestRunInsideRun(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  outer: {cmd: [sh, -c, 'RUN_SAME=1 exec "$0" run inner', "`+ownPath()+`"]}
  inner: {cmd: ["true"]}
`)
	cmd, out := same(dir, "run", "outer")
	if err := cmd.Run(); err == nil || !strings.Contains(out.String(), "same was started by a task") {
		t.Errorf("%v\n%s", err, out)
	}
}
