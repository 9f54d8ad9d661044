//go:build !linux

package engine

import "syscall"

// processGroup gives a command a process group of its own.
func processGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
