package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An interrupt ends the process group of each task: first it asks, then it kills.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  slow:
    cmd: [sh, -c, 'trap "echo tidied >tidied; exit 1" TERM; sleep 1000 & echo $! >pid; echo ready >ready; wait']
    target: [x]
  after: {cmd: [touch, after], dependsOn: [slow]}
`)
	// Where the test was started by nohup, the program would ignore one of these:
	// a signal that is handled here is none that it inherits as ignored.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		cmd, out := same(dir, "run", "all")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		signalAt(t, cmd, filepath.Join(dir, "ready"), signal)
		err := cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("%v: %v, exit code %d", signal, err, code)
		}
		if !strings.Contains(out.String(), "[slow] Failed after") || !strings.Contains(out.String(), "interrupted") {
			t.Errorf("%v: %s", signal, out)
		}
		if read(t, filepath.Join(dir, "tidied")) != "tidied\n" {
			t.Errorf("%v: the task was not asked to end", signal)
		}
		if _, err := os.Stat(filepath.Join(dir, "after")); err == nil {
			t.Errorf("%v: another task was started", signal)
		}
		var pid int
		if _, err := fmt.Sscan(read(t, filepath.Join(dir, "pid")), &pid); err != nil {
			t.Fatal(err)
		}
		gone(t, pid)
		for _, name := range []string{"ready", "tidied", "pid"} {
			os.Remove(filepath.Join(dir, name))
		}
	}
}

// Processes that a task has started have time to clean up too, although its shell
// ends immediately.
func TestInterruptWaitsForGroup(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "server"), `trap "sleep 0.3; echo tidied >tidied; exit" TERM
echo ready >ready
while :; do sleep 0.01; done
`)
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  serve: {cmd: [sh, -c, 'sh server >log 2>&1; true']}
`)
	cmd, out := same(dir, "run", "all")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	signalAt(t, cmd, filepath.Join(dir, "ready"), os.Interrupt)
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "tidied")); err != nil {
		t.Errorf("it had no time to end: %v", err)
	}
}

// Started by nohup, same goes on when its terminal is closed.
func TestHangupIgnored(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  slow: {cmd: [sh, -c, 'echo >ready; until [ -e go ]; do sleep 0.05; done']}
`)
	cmd, out := same(dir)
	cmd.Args = []string{"sh", "-c", `trap "" HUP; exec "$0" run all`, cmd.Path}
	cmd.Path = "/bin/sh"
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	signalAt(t, cmd, filepath.Join(dir, "ready"), syscall.SIGHUP)
	write(t, filepath.Join(dir, "go"), "")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A second interrupt kills a task that does not end.
func TestInterruptTwice(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  stubborn: {input: [], cmd: [sh, -c, 'trap "echo asked >asked" TERM INT; echo ready >ready; while :; do sleep 0.01; done']}
`)
	cmd, out := same(dir, "run", "all")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ready", "asked"} {
		signalAt(t, cmd, filepath.Join(dir, name), os.Interrupt)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("%v\n%s", err, out)
	}
}

// While an interrupted task does not end, a warning names it and says how to kill it.
func TestInterruptWarnsOfSlowTask(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  stubborn: {input: [], cmd: [sh, -c, 'trap "" TERM INT; echo ready >ready; while :; do sleep 0.01; done']}
`)
	cmd, _ := same(dir, "run", "all")
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	signalAt(t, cmd, filepath.Join(dir, "ready"), os.Interrupt)
	await(t, filepath.Join(dir, "said"))
	if got := read(t, filepath.Join(dir, "said")); !strings.Contains(got, `task "stubborn" is still running`) {
		t.Errorf("got %q", got)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("an interrupted run succeeded")
	}
}

// signalAt sends a signal once the task has written a file.
func signalAt(t *testing.T, cmd *exec.Cmd, name string, s os.Signal) {
	t.Helper()
	await(t, name)
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// await waits for a file with a line in it; the test's own limit ends it.
func await(t *testing.T, name string) {
	t.Helper()
	for {
		if data, err := os.ReadFile(name); err == nil && bytes.HasSuffix(data, []byte("\n")) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// gone waits until a process has ended. It may remain a zombie.
func gone(t *testing.T, pid int) {
	t.Helper()
	for {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); runtime.GOOS == "linux" && (err != nil || strings.Contains(string(stat), ") Z ")) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
