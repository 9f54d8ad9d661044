package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt checks that an interrupted cachekey prints so, and ends by the signal,
// so that a shell ends the loop that it runs in.
func TestInterrupt(t *testing.T) {
	own, err := exec.LookPath("cachekey")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir := t.TempDir()
		// git, which never answers
		if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\necho ready >\"$READY\"\nexec sleep 60\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte("{ outputs = _: { }; }\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		ready := filepath.Join(dir, "ready")
		cmd := exec.Command(own, "nar-hash")
		cmd.Dir, cmd.WaitDelay = dir, 5*time.Second // also if git goes on
		cmd.Env = append(os.Environ(), "READY="+ready, "PATH="+dir+":"+os.Getenv("PATH"))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if _, err := os.Stat(ready); err == nil {
				break
			}
		}
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !status.Signaled() || status.Signal() != s || stderr.String() != "cachekey: interrupted\n" {
			t.Errorf("%v: it ended with %v and printed %q", s, cmd.ProcessState, stderr.String())
		}
	}
}
