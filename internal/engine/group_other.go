//go:build !linux

package engine

import "syscall"

// ownSession makes a command the leader of a session.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func adoptOrphans() {} // launchd waits for orphans

func onlyZombies(int) bool { return false }

func isNoexec(string) bool { return false } // then the system's own error is printed
