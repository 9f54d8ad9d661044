package engine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownSession makes a command the leader of a session. If same is killed, the kernel
// kills the command, which could otherwise write beside the next run.
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// adoptOrphans makes same the parent of processes whose parent has ended. Process 1
// of a container often does not wait for them, and an ended process that nobody waits
// for stays in its group.
var adoptOrphans = sync.OnceFunc(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })

// onlyZombies reports whether every process of a group has ended. Such a process
// can be the child of one that has left the group.
func onlyZombies(group int) bool {
	proc, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return false
	}
	found := false
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		state, of := stat(pid)
		if of != group {
			continue
		}
		if state != "Z" && state != "X" {
			return false
		}
		found = true
	}
	return found
}

// stat returns the state of a process and its process group, or "" and 0 if it has
// ended.
func stat(pid int) (state string, group int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	// "PID (NAME) STATE PPID PGRP …", where NAME may contain anything: proc(5)
	var parent int
	if _, err := fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+1:]), &state, &parent, &group); err != nil {
		return "", 0
	}
	return state, group
}

// isNoexec reports whether file is on a file system whose programs may not be
// started.
func isNoexec(file string) bool {
	var st unix.Statfs_t
	return unix.Statfs(file, &st) == nil && st.Flags&unix.ST_NOEXEC != 0
}
