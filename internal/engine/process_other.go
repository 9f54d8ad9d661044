//go:build !linux

package engine

import "syscall"

// processGroup gives a command its own group.
func processGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
