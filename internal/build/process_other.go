//go:build !linux

package build

import "syscall"

// processGroup gives a command its own group.
func processGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
