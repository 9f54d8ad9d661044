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

// TestInterrupt checks that an interrupt ends the process group of each task: first with
// SIGTERM, then with SIGKILL.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  slow:
    cmd: [sh, -c, 'trap "echo tidied >tidied; exit 1" TERM; sh sleeper & echo $! >pid; wait']
    target: [x]
  after: {cmd: [touch, after], dependsOn: [slow]}
`)
	write(t, filepath.Join(dir, "sleeper"), "until [ -s pid ]; do sleep 0.01; done; echo ready >ready; exec sleep 1000\n")
	// If the test was started by nohup, the program would inherit one of these as
	// ignored. A signal that is handled here is not inherited as ignored.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		cmd, out := same(dir, "run", "all")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		signalAt(t, cmd, filepath.Join(dir, "ready"), signal)
		_ = cmd.Wait()
		endedBy(t, cmd, signal)
		for _, want := range []string{"[slow] Interrupted after ", "\n0 ran, 0 cached, 1 interrupted (slow), 1 not run; took ", "same: interrupted\n"} {
			if !strings.Contains(out.String(), want) || strings.Contains(strings.ToLower(out.String()), "failed") {
				t.Errorf("%v: got\n%s\nwant %q and no failure", signal, out, want)
			}
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

// TestQuit checks that ^\ is an interrupt too: no goroutines are printed, the exit
// code is not that of a wrong call, and no process of the task goes on.
func TestQuit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  slow: {cmd: [sh, -c, 'sleep 1000 & echo $! >pid; echo ready >ready; wait']}
`)
	cmd, out := same(dir, "run", "all")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	signalAt(t, cmd, filepath.Join(dir, "ready"), syscall.SIGQUIT)
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 131 || strings.Contains(out.String(), "goroutine") || !strings.Contains(out.String(), "1 interrupted (slow)") {
		t.Errorf("got exit code %d, want 131\n%s", got, out)
	}
	var pid int
	if _, err := fmt.Sscan(read(t, filepath.Join(dir, "pid")), &pid); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}

// TestInterruptWaitsForGroup checks that all processes of a task have time to clean up,
// although its shell ends immediately.
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

// TestHangupIgnored checks that same, started by nohup, continues when its terminal is
// closed.
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

// TestInterruptTwice checks that a second interrupt kills a task that does not end.
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
	signalAt(t, cmd, filepath.Join(dir, "ready"), os.Interrupt)
	await(t, filepath.Join(dir, "asked"))
	time.Sleep(100 * time.Millisecond)
	signalAt(t, cmd, filepath.Join(dir, "asked"), os.Interrupt)
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("%v\n%s", err, out)
	}
	endedBy(t, cmd, os.Interrupt)
}

// TestInterruptWarnsOfSlowTask checks the warning about an interrupted task that does
// not end.
func TestInterruptWarnsOfSlowTask(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  stubborn: {input: [], cmd: [sh, -c, 'trap "" TERM INT; echo ready >ready; while :; do sleep 0.01; done']}
`)
	cmd, _ := same(dir, "run", "all")
	printed, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer printed.Close()
	cmd.Stderr = printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	signalAt(t, cmd, filepath.Join(dir, "ready"), os.Interrupt)
	await(t, filepath.Join(dir, "stderr"))
	if got := read(t, filepath.Join(dir, "stderr")); !strings.Contains(got, `task "stubborn" is still running`) {
		t.Errorf("got %q", got)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("an interrupted run succeeded")
	}
}

// TestInterruptTwiceWithBlockedOutput checks that a second interrupt, by any signal, ends
// same and its tasks within a second, although nobody reads its output.
func TestInterruptTwiceWithBlockedOutput(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(second.String(), func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  big: {cmd: [sh, -c, 'trap "" TERM; echo $$ >pid; seq 1 200000; sleep 1000']}
`)
			cmd, _ := same(dir, "run", "big")
			took := interruptTwice(t, cmd, dir, second)
			endedBy(t, cmd, second)
			if took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
			var pid int
			if _, err := fmt.Sscan(read(t, filepath.Join(dir, "pid")), &pid); err != nil {
				t.Fatal(err)
			}
			gone(t, pid)
		})
	}
}

// TestInterruptTwiceInBackground does the same for a program that a script has started
// with &, so that its SIGINT is ignored and cannot end it. On a loaded machine not every
// attempt is fast.
func TestInterruptTwiceInBackground(t *testing.T) {
	for attempt := 1; ; attempt++ {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  big: {input: [], cmd: [sh, -c, 'trap "" TERM; echo $$ >pid; seq 1 200000; sleep 1000']}
`)
		cmd, _ := same(dir)
		cmd.Args = []string{"sh", "-c", `trap "" INT; exec "$0" run big`, cmd.Path}
		cmd.Path = "/bin/sh"
		took := interruptTwice(t, cmd, dir, syscall.SIGINT)
		if code := cmd.ProcessState.ExitCode(); code != 130 {
			t.Fatalf("got %v, want exit code 130", cmd.ProcessState)
		}
		if took < time.Second {
			return
		}
		if attempt == 5 {
			t.Fatalf("it took %v, longer than a second", took)
		}
	}
}

// interruptTwice starts cmd with a stdout that nobody reads, and interrupts it when its
// task has written dir/pid, then by second. It returns how long cmd took to end after
// that.
func interruptTwice(t *testing.T, cmd *exec.Cmd, dir string, second syscall.Signal) time.Duration {
	t.Helper()
	reader, blocked, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd.Stdout, cmd.Stderr = blocked, nil
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	blocked.Close()
	signalAt(t, cmd, filepath.Join(dir, "pid"), os.Interrupt)
	time.Sleep(300 * time.Millisecond)
	start := time.Now()
	if err := cmd.Process.Signal(second); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait()
	return time.Since(start)
}

// TestClosedPipe checks that same ends by SIGPIPE, with all processes of its tasks, when
// the reader of its output has closed the pipe (head -1).
func TestClosedPipe(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  talk: {input: [], cmd: [sh, -c, 'sleep 1000 & echo $! >pid; while :; do echo line; sleep 0.01; done']}
`)
	cmd, _ := same(dir, "run", "talk")
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	cmd.Stderr = &printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, filepath.Join(dir, "pid"))
	out.Close()
	_ = cmd.Wait()
	endedBy(t, cmd, syscall.SIGPIPE)
	if printed.String() != "" {
		t.Errorf("it printed %s", printed.String())
	}
	var pid int
	if _, err := fmt.Sscan(read(t, filepath.Join(dir, "pid")), &pid); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}

// TestInterruptStoppedTask checks that a stopped task is continued: only then does it
// receive SIGTERM.
func TestInterruptStoppedTask(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  stopped: {cmd: [sh, -c, 'echo ready >ready; kill -STOP $$; sleep 1000']}
`)
	cmd, out := same(dir, "run", "all")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	signalAt(t, cmd, filepath.Join(dir, "ready"), os.Interrupt)
	_ = cmd.Wait()
	endedBy(t, cmd, os.Interrupt)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v\n%s", took, out)
	}
}

// endedBy checks that a command was ended by a signal.
func endedBy(t *testing.T, cmd *exec.Cmd, s os.Signal) {
	t.Helper()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != s {
		t.Errorf("same ended with %v, want the signal %v", cmd.ProcessState, s)
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
