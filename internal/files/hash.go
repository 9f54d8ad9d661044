package files

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// The kinds of files that a pattern can match.
const (
	File = 'f'
	Exec = 'x' // a file that its owner may execute
	Link = 'l'
)

// kind returns File, Exec, Link, 'd' for a directory or 0 for anything else.
func (e *entry) kind() byte {
	switch e.stamp.Type() {
	case unix.S_IFREG:
		if e.stamp.Executable() {
			return Exec
		}
		return File
	case unix.S_IFLNK:
		return Link
	case unix.S_IFDIR:
		return 'd'
	}
	return 0
}

// hashAll computes the missing digests of these entries of d, concurrently. An
// entry whose file was removed in the meantime loses its stamp. The caller holds d.mu.
func (x *Index) hashAll(d *dir, fd *dirFD, wanted []*entry) error {
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
		buf := readBuffers.Get().(*[readSize]byte)
		defer readBuffers.Put(buf)
		for failed.Load() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(missing) {
				return
			}
			if err := x.hash(handle, missing[i], buf[:]); err != nil {
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

const readSize = 128 << 10

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// hash reads a file or link and sets its entry's digest and stamp. The stamp is
// taken from the open file before it is read, and the clock was read before that,
// so that a later write changes the stamp. (With the listing's stamp, swapping the
// directory for another and back would store one file's digest under the stamp of
// another.)
func (x *Index) hash(dir int, e *entry, buf []byte) error {
	if e.kind() == Link {
		var err error
		if e.stamp, err = disk.LstatAt(dir, e.name); err != nil {
			return vanished(e, err)
		}
		if e.kind() != Link {
			return errors.New("it is no longer a symbolic link")
		}
		e.settled = x.clock.settled(e.stamp)
		n, err := unix.Readlinkat(dir, e.name, buf)
		if err != nil {
			return vanished(e, err)
		}
		e.digest = digest.Of(buf[:n])
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
	if k := e.kind(); k != File && k != Exec {
		return errors.New("it is no longer a regular file")
	}
	e.settled = x.clock.settled(e.stamp)
	e.digest, err = hashFile(fd, e.stamp.Size, buf)
	return err
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

// hashFile hashes the rest of an open file, which probably has size bytes.
func hashFile(fd int, size int64, buf []byte) (d digest.Digest, err error) {
	var h *blake3.Hasher
	var count int64
	filled := 0
	for {
		n, err := disk.Retry(func() (int, error) { return unix.Read(fd, buf[filled:]) })
		if err != nil {
			return d, err
		}
		count += int64(n)
		end := n == 0 || count == size && filled+n < len(buf) // a short read that reached size
		filled += n
		switch {
		case end && h == nil:
			return digest.Of(buf[:filled]), nil
		case end:
			_, _ = h.Write(buf[:filled])
			h.Sum(d[:0])
			return d, nil
		case filled == len(buf):
			if h == nil {
				h = blake3.New()
			}
			_, _ = h.Write(buf)
			filled = 0
		}
	}
}

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
	var st unix.Stat_t
	if unix.Fstat(int(c.f.Fd()), &st) == nil {
		c.now, c.dev = st.Mtim.Nano(), uint64(st.Dev)
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
