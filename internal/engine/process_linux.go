package engine

import "syscall"

// processGroup gives a command its own group. Should same be killed, its
// commands are too, rather than write on beside the next run.
func processGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
