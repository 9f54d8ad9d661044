package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

// lock makes this the one run of its workspace, and waits while there is
// another, or something that a killed one has left running: that would write to
// the same targets. In a .same that can't be written there is nothing to guard
// and no lock.
func (r *Runner) lock(ctx context.Context) (unlock func(), err error) {
	for told := false; ; {
		lock, err := r.dir.TryLock()
		var locked *dotsame.LockedError
		switch {
		case err == nil:
			r.held = lock.File()
			return lock.Unlock, nil
		case errors.Is(err, dotsame.ErrNoLocks):
			r.warnf("%v; do not run same twice at once here", err)
			return func() {}, nil
		case !errors.As(err, &locked):
			r.cannotRemember(err)
			return func() {}, nil
		}
		if !told {
			told = true
			if isAncestor(locked.Holder) {
				return nil, message.WithHint(fmt.Errorf("same was started by a task that same (process %d) is running in this workspace, which would wait for itself", locked.Holder),
					"name the other task under dependsOn")
			}
			r.Report.Waiting(locked.Holder, locked.Killed())
		}
		select {
		case <-ctx.Done():
			return nil, errInterrupted
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// isAncestor says whether process pid is above this one. Where there is no /proc
// only the parent is looked at.
func isAncestor(pid int) bool {
	if pid <= 1 {
		return false
	}
	for up := os.Getppid(); up > 1; up = parentOf(up) {
		if up == pid {
			return true
		}
	}
	return false
}

// parentOf reads the parent of a process from Linux' /proc/PID/stat, whose
// second field, in brackets, may hold anything: proc(5).
func parentOf(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}
