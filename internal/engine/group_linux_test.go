package engine

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestStopStartingTask checks that ^Z also stops a task whose command has just been
// started.
func TestStopStartingTask(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	var gs groups
	gs.signal(syscall.SIGSTOP)
	gs.add(&group{id: cmd.Process.Pid})
	await := func(stopped bool) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for {
			state, _ := stat(cmd.Process.Pid)
			if (state == "T") == stopped {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("got state %s, want it stopped: %v", state, stopped)
			}
			time.Sleep(time.Millisecond)
		}
	}
	await(true)
	gs.signal(syscall.SIGCONT)
	await(false)
}
