package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// same gives a process of this very program in dir.
func same(dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(ownPath(), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "RUN_SAME=1", "GITHUB_ACTIONS=")
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
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

// chain is a workspace of tasks that each copy what the one before has made,
// bit by bit, so that a kill finds them at it.
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

// outputs gives everything below out, to be compared.
func outputs(t *testing.T, dir string) string {
	t.Helper()
	list, err := exec.Command("sh", "-c", `cd "$1" && find out -type f -exec sha256sum {} + | LC_ALL=C sort -k2`, "sh", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	return string(list)
}

// fromNothing gives the outputs of a workspace that has never been built.
func fromNothing(t *testing.T, dir string) string {
	t.Helper()
	clean := t.TempDir()
	for _, name := range []string{"same.yaml", "src", "salt"} {
		write(t, filepath.Join(clean, name), read(t, filepath.Join(dir, name)))
	}
	run(t, clean, "run", "all")
	return outputs(t, clean)
}

// Whenever a run is killed, the next one ends as if it had never been.
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
			t.Fatalf("after kill %d:\n%s\nfrom nothing:\n%s\nthe run said:\n%s", i, got, want, out)
		}
		if strings.Contains(out, "warning") && !strings.Contains(out, "no remembered run made that") {
			t.Errorf("after kill %d: %s", i, out)
		}
	}
}

// What a killed run has left running does not write into the next one's outputs.
func TestKilledRunLeavesSomething(t *testing.T) {
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
	said, err := os.Create(at("said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	next.Stdout, next.Stderr = said, said
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, at("said")) // that it waits, or that it begins
	write(t, at("go"), "")
	if err := next.Wait(); err != nil {
		t.Errorf("%v\n%s", err, read(t, at("said")))
	}
	if !strings.Contains(read(t, at("said")), "Waiting for what a killed same run") {
		t.Errorf("it did not say for whom it waits:\n%s", read(t, at("said")))
	}
	if got := read(t, at("out")); got != "source\n" {
		t.Errorf("out is %q", got)
	}
}

// Runs in one workspace wait for each other, and say so.
func TestRunsAtOnce(t *testing.T) {
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
		t.Errorf("these ran: %q", got)
	}
	if waited == 0 {
		t.Error("nobody said that they wait")
	}
}

// A task that runs same in its own workspace would wait for itself.
func TestRunInARun(t *testing.T) {
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
