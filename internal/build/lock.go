package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cachekey/internal/cli"
	"cachekey/internal/samedir"
)

// lock makes this the one run of its workspace, and waits while there is
// another. The lock ends with the process, however that ends. In a .same that
// can't be written there is nothing to guard and no lock.
func (r *Runner) lock(ctx context.Context) (unlock func(), err error) {
	f, err := r.openLock()
	if err != nil {
		r.cannotRemember(err)
		return func() {}, nil
	}
	for told := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			r.warnf("%s can't be locked: %v; do not run same twice at once here", samedir.RunLock, err)
			return func() {}, nil
		}
		if !told {
			told = true
			holder := readPID(f)
			if isAncestor(holder) {
				f.Close()
				return nil, cli.WithHint(fmt.Errorf("same was started by a task that same (process %d) is running in this workspace, which would wait for itself", holder),
					"name the other task under dependsOn")
			}
			r.Report.Waiting(holder)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, errInterrupted
		case <-time.After(50 * time.Millisecond):
		}
	}
	_ = f.Truncate(0) // the number is only for people, and for isAncestor
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return func() { f.Close() }, nil
}

func (r *Runner) openLock() (*os.File, error) {
	name := r.dir.Path(samedir.RunLock)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
}

// tryLock is lock for who would rather go without than wait.
func (r *Runner) tryLock() (unlock func(), err error) {
	f, err := r.openLock()
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func readPID(f *os.File) int {
	data, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
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
