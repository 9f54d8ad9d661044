package files

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
)

// A clock reads the time by which a file system stamps its files: a machine's
// own clock is finer, and that of a server differs.
type clock struct {
	f   *os.File // nil if there is none
	mu  sync.Mutex
	now int64  // nanoseconds: whatever is written from now on is stamped with this or later
	dev uint64 // the file system that says so
}

// foreignMargin is what a file's times have to be older by on a file system
// whose clock was not read: FAT, the coarsest, has ticks of two seconds.
const foreignMargin = int64(3 * time.Second)

func newClock(dir string) *clock {
	c := new(clock)
	if f, err := os.CreateTemp(dir, "clock"); err == nil {
		os.Remove(f.Name())
		c.f = f
	}
	return c
}

func (c *clock) read() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.dev = time.Now().UnixNano()-foreignMargin, ^uint64(0)
	if c.f == nil {
		return
	}
	if _, err := c.f.WriteAt([]byte{0}, 0); err != nil {
		return
	}
	var st unix.Stat_t
	if unix.Fstat(int(c.f.Fd()), &st) == nil {
		c.now, c.dev = st.Mtim.Nano(), uint64(st.Dev)
	}
}

// settled says whether every later write to a file of this stamp will show in
// it, given that the clock was read before the file was.
func (c *clock) settled(st disk.Stamp) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now
	if c.dev != st.Dev && c.dev != ^uint64(0) {
		now -= foreignMargin
	}
	return max(st.Mtime, st.Ctime) < now
}

func (c *clock) close() {
	if c.f != nil {
		c.f.Close()
	}
}
