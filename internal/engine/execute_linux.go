package engine

import "syscall"

// processGroup gives a command a process group of its own. If same is killed, so
// is the command: it would otherwise write beside the next run.
func processGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
