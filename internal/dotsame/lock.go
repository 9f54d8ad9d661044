package dotsame

import (
	"cachekey/internal/message"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A Lock is the lock of runs: who has it is the only one to write below .same.
// It ends with the process, however that ends, and with all processes that were
// given its File.
type Lock struct{ f *os.File }

// ErrNoLocks says that the file system of .same knows no locks.
var ErrNoLocks = errors.New("it can't be locked")

// A LockedError says that somebody else has the lock.
type LockedError struct {
	Root   string // of the workspace
	Holder int    // the process that took the lock; 0 if that is not known
}

// Error names the workspace.
func (e *LockedError) Error() string { return fmt.Sprintf("same is running in %q", e.Root) }

// Killed says that the holder has gone, and what still has the lock is something
// that it started.
func (e *LockedError) Killed() bool {
	return e.Holder > 0 && errors.Is(syscall.Kill(e.Holder, 0), syscall.ESRCH)
}

// TryLock takes the lock of runs if it is free; else the error is a LockedError.
func (d *Dir) TryLock() (*Lock, error) {
	name := d.Path(RunLock)
	for {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, err
		}
		err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			holder := readPID(f)
			f.Close()
			return nil, message.WithHint(&LockedError{d.root, holder}, "wait until it has ended")
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: %w: %w", RunLock, ErrNoLocks, err)
		}
		if isAt(f, name) {
			_ = f.Truncate(0) // the number is only for people, and for LockedError
			_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
			return &Lock{f}, nil
		}
		f.Close() // somebody removed .same between the two: the lock of today is another
	}
}

// File is for processes that must not outlive the lock unnoticed.
func (l *Lock) File() *os.File { return l.f }

// Unlock lets the next one have the lock, whoever else has its File.
func (l *Lock) Unlock() {
	_ = flock(l.f, syscall.LOCK_UN) // closing does the same, unless it was given away
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
