package samedir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"cachekey/internal/cli"
)

// TryLock takes the lock of runs, so that no run begins until unlock is called.
// It is an error if a run is going on.
func (d *Dir) TryLock() (unlock func(), err error) {
	name := d.Path(RunLock)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, cli.WithHint(fmt.Errorf("same is running in %q", d.root), "wait until it has ended")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}
