package dotsame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// A Lock is the run lock: only the process that holds it writes below .same. The
// kernel releases it when that process and every process that inherited File have
// ended.
type Lock struct{ f *os.File }

// ErrNoLocks reports that the file system of .same does not support locking.
var ErrNoLocks = errors.New("it can't be locked")

// ErrOwnTask reports that the run to wait for is waiting for this process.
var ErrOwnTask = errors.New("same was started by a task of the run that it would wait for")

var errInterrupted = errors.New("interrupted")

// A LockedError reports that another process holds the lock.
type LockedError struct {
	Root   string // of the workspace
	Holder int    // the process that took the lock; 0 if unknown
}

// Error names the workspace and the process.
func (e *LockedError) Error() string {
	text := fmt.Sprintf("same is running in %q", e.Root)
	if e.Holder > 0 {
		text += fmt.Sprintf(" (process %d)", e.Holder)
	}
	return text
}

// Killed reports whether the holder has ended, but a process that it started still
// holds the lock.
func (e *LockedError) Killed() bool {
	return e.Holder > 0 && errors.Is(syscall.Kill(e.Holder, 0), syscall.ESRCH)
}

// Lock takes the run lock. While another process holds it, Lock calls waiting
// once and waits until ctx is done. If that process runs the task that this one
// belongs to, the error is ErrOwnTask.
func (d *Dir) Lock(ctx context.Context, waiting func(*LockedError)) (*Lock, error) {
	for first := true; ; first = false {
		lock, err := d.TryLock()
		var locked *LockedError
		if !errors.As(err, &locked) {
			return lock, err
		}
		if first && isAncestor(locked.Holder) {
			return nil, message.WithHint(fmt.Errorf("%w (process %d)", ErrOwnTask, locked.Holder), "name the other task under dependsOn")
		}
		if first {
			waiting(locked)
		}
		select {
		case <-ctx.Done():
			return nil, errInterrupted
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TryLock takes the run lock if it is free; otherwise the error is a LockedError. It
// replaces anything but a plain file in place of the lock file: through a hard link,
// it would write its process number to another file.
func (d *Dir) TryLock() (*Lock, error) {
	for {
		local, err := d.makeLocal()
		if err != nil {
			return nil, err
		}
		lock, err := d.tryLock(local, lastName(RunLock))
		local.Close()
		if lock != nil || err != nil {
			return lock, err
		}
	}
}

// makeLocal opens .same/local, and creates it if it does not exist.
func (d *Dir) makeLocal() (*disk.Dir, error) {
	root, err := disk.OpenRoot(d.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.ReachMaking(Local)
}

// tryLock takes the lock name in local. It returns nil if it has replaced what was
// there, or another process has.
func (d *Dir) tryLock(local *disk.Dir, name string) (*Lock, error) {
	f, info, err := local.OpenOrCreate(name)
	if err != nil {
		if st, statErr := local.Lstat(name); statErr == nil && st.Kind() != disk.File {
			_, err = local.Remove(name)
		}
		return nil, err
	}
	err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = message.WithHint(&LockedError{d.root, readPID(f)}, "wait until it has ended")
	case err != nil:
		err = fmt.Errorf("%s: %w: %w", RunLock, ErrNoLocks, err)
	case !isAt(f, d.Path(RunLock)): // it was replaced, or .same was
	case info.Links > 1:
		err = local.RemoveFile(name) // processes that wait for f notice it by isAt
	default:
		_ = f.Truncate(0) // the number is only for messages, and for LockedError
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		return &Lock{f}, nil
	}
	f.Close()
	return nil, err
}

// File returns the open lock file. A process that inherits it keeps the lock
// until it ends too.
func (l *Lock) File() *os.File { return l.f }

// Unlock releases the lock, even if other processes have inherited its File.
func (l *Lock) Unlock() {
	_ = flock(l.f, syscall.LOCK_UN) // closing does the same, unless another process inherited it
	l.f.Close()
}

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}

func isAt(f *os.File, name string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	its, err := os.Lstat(name)
	return err == nil && os.SameFile(mine, its)
}

func readPID(f *os.File) int {
	data, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return max(pid, 0)
}

// isAncestor reports whether process pid is this process's parent, or a parent
// of that. Without /proc it only knows the parent.
func isAncestor(pid int) bool {
	if pid <= 1 {
		return false
	}
	for up := os.Getppid(); up > 1; up = ParentOf(up) {
		if up == pid {
			return true
		}
	}
	return false
}

// ParentOf returns the parent of a process, or 0 if it is not known. It reads
// /proc/PID/stat, whose second field, in parentheses, may contain anything: proc(5).
func ParentOf(pid int) int {
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
