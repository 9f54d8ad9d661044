package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// hashAll computes the missing digests of these entries of d, concurrently. An
// entry whose file was removed in the meantime loses its stamp. The caller holds d.mu.
func (x *Index) hashAll(ctx context.Context, d *dir, fd *dirFD, wanted []*entry) error {
	missing := wanted[:0:0]
	for _, e := range wanted {
		if e.digest.IsZero() {
			missing = append(missing, e)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	handle, err := fd.open()
	if errors.Is(err, unix.ENOENT) {
		for _, e := range missing {
			e.vanish()
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", d, err)
	}
	x.dirty.Store(true)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	work := func() {
		for failed.Load() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(missing) {
				return
			}
			if err := x.hash(ctx, handle, missing[i]); err != nil {
				err = fmt.Errorf("reading %s: %w", path.Join(d.path, missing[i].name), err)
				failed.CompareAndSwap(nil, &err)
			}
		}
	}
	var helpers sync.WaitGroup
	for range len(missing) / 64 { // fewer are not worth a goroutine
		if !x.spawn(&helpers, work) {
			break
		}
	}
	work()
	helpers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// spawn runs f in a new goroutine and returns true, or returns false if there are
// enough already.
func (x *Index) spawn(wg *sync.WaitGroup, f func()) bool {
	select {
	case x.slots <- struct{}{}:
		wg.Go(func() {
			defer func() { <-x.slots }()
			f()
		})
		return true
	default:
		return false
	}
}

// hash reads a file or link and sets its entry's digest and stamp. The stamp is
// taken from the open file before it is read, and the clock was read before that,
// so that a later write changes the stamp. (With the listing's stamp, swapping the
// directory for another and back would store one file's digest under the stamp of
// another.)
func (x *Index) hash(ctx context.Context, dir int, e *entry) error {
	if e.stamp.Kind() == disk.Link {
		var err error
		if e.stamp, err = disk.LstatAt(dir, e.name); err != nil {
			return vanished(e, err)
		}
		if e.stamp.Kind() != disk.Link {
			return errors.New("it is no longer a symbolic link")
		}
		e.settled = x.clock.settled(e.stamp)
		target, err := readLink(dir, e.name)
		if err != nil {
			return vanished(e, err)
		}
		e.digest = digest.Of(target)
		return nil
	}
	fd, err := disk.OpenAt(dir, e.name, 0)
	if err != nil {
		return vanished(e, err)
	}
	defer unix.Close(fd)
	if e.stamp, err = disk.Fstat(fd); err != nil {
		return err
	}
	if e.stamp.Kind() != disk.File {
		return errors.New("it is no longer a regular file")
	}
	e.settled = x.clock.settled(e.stamp)
	e.digest, _, err = disk.Hash(ctx, fd, e.stamp.Size, nil)
	return err
}

// readLink returns the target of a symbolic link.
func readLink(dir int, name string) ([]byte, error) {
	buf := make([]byte, 4096) // PATH_MAX
	n, err := disk.ReadlinkAt(dir, name, buf)
	return buf[:max(n, 0)], err
}

// vanished returns err unless it says that the file of e no longer exists: then it
// clears e. Files may be removed at any time, by another task or by an editor.
func vanished(e *entry, err error) error {
	if errors.Is(err, unix.ENOENT) {
		e.vanish()
		return nil
	}
	return err
}

func (e *entry) vanish() { e.stamp, e.seen = disk.Stamp{}, 0 }

// A clock reads the time with which a file system stamps its files: the machine's
// own clock is finer, and the clock of a file server differs.
type clock struct {
	f   *os.File // nil if it could not be created
	mu  sync.Mutex
	now int64  // nanoseconds: every later write is stamped with this time or a later one
	dev uint64 // the file system that now is from
}

// foreignMargin is how much older a file's times must be on a file system whose
// clock was not read. FAT, the coarsest, has ticks of two seconds.
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
	if st, err := disk.Fstat(int(c.f.Fd())); err == nil {
		c.now, c.dev = st.Mtime, st.Dev
	}
}

// settled reports whether every later write to a file with this stamp will change
// the stamp. The clock must have been read before the file was.
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
