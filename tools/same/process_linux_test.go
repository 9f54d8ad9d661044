package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTaskHasNoTerminal checks that a program that asks a question on the terminal fails
// immediately. It would otherwise wait forever, since it is not in the foreground.
func TestTaskHasNoTerminal(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  ask: {cmd: [sh, -c, 'read answer </dev/tty']}
`)
	_, terminal := openTerminal(t)
	cmd, out := same(dir, "run", "--ci", "ask")
	cmd.Stdin = terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	_ = cmd.Wait()
	if !late.Stop() || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "[ask] Failed after ") {
		t.Errorf("%v\n%s", cmd.ProcessState, out)
	}
}

// TestInterruptBelowIdleInit checks that an ended process does not count as running if
// process 1 does not wait for orphans, as in a container that runs tail -f /dev/null.
func TestInterruptBelowIdleInit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  loop: {cmd: [sh, -c, 'sh -c "echo ready >ready; while :; do sleep 0.02; done"; true']}
`)
	own := ownPath()
	script := `("$0" run loop >out 2>&1 & same=$!
until [ -s ready ]; do sleep 0.01; done
date +%s%N >start; kill -TERM $same; wait $same; echo $? >code; date +%s%N >end) &
exec tail -f /dev/null`
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, own)
	if os.Getuid() == 0 {
		cmd = exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, own)
	}
	if text, err := exec.Command(cmd.Args[0], append(cmd.Args[1:len(cmd.Args)-4:len(cmd.Args)-4], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no namespace of processes: %v: %s", err, text)
	}
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "RUN_SAME=1", "GITHUB_ACTIONS=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	await(t, filepath.Join(dir, "end"))
	number := func(name string) int64 {
		n, err := strconv.ParseInt(strings.TrimSpace(read(t, filepath.Join(dir, name))), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	took := time.Duration(number("end") - number("start"))
	if printed := read(t, filepath.Join(dir, "out")); number("code") != 143 || took > time.Second || strings.Contains(printed, "still running") {
		t.Errorf("exit code %d after %v\n%s", number("code"), took, printed)
	}
}

// TestStopAndContinue checks that ^Z stops the tasks, although they are not in the
// session of the terminal, and that fg continues them.
func TestStopAndContinue(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  slow: {cmd: [sh, -c, 'echo $$ >pid; until [ -e go ]; do :; done']} # without children, for which sh would wait in another state
`)
	cmd, out := same(dir, "run", "all")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell with job control does
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	signalAt(t, cmd, filepath.Join(dir, "pid"), syscall.SIGTSTP)
	stopped := func(pid string) {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			stat := read(t, "/proc/"+pid+"/stat")
			if strings.Contains(stat, ") T ") {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("not stopped: %s", stat)
				return
			}
		}
	}
	stopped(strings.TrimSpace(read(t, filepath.Join(dir, "pid"))))
	stopped(strconv.Itoa(cmd.Process.Pid))
	write(t, filepath.Join(dir, "go"), "")
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if !late.Stop() || err != nil || !strings.Contains(out.String(), "1 ran, 0 cached") {
		t.Errorf("%v\n%s", err, out)
	}
}
