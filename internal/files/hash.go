package files

import (
	"errors"
	"fmt"
	"path"
	"sync"
	"sync/atomic"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// Kinds of files in what a task's patterns match.
const (
	File = 'f'
	Exec = 'x' // a file that its owner may execute
	Link = 'l'
)

// kind gives File, Exec, Link, 'd' for a directory or 0 for anything else.
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

// hashAll makes sure of the digests of these entries of d. An entry that has
// gone since it was seen loses its stamp. d.mu is held.
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
		return fmt.Errorf("opening %s: %w", d.shown(), err)
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

// spawn runs f in a goroutine if one may be had.
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

// hash reads a file or link and sets its entry's digest. The stamp that is kept
// is of before the reading, of the very file that is read, and so is the clock
// that settles it: a write that comes after makes another stamp. (With the
// listing's, a directory that is swapped for another and back in between
// would leave one file's digest under the other's stamp.)
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

// vanished turns the error about something that was there a moment ago: others
// may remove files at any time, a task its target, an editor what it has renamed.
func vanished(e *entry, err error) error {
	if errors.Is(err, unix.ENOENT) {
		e.vanish()
		return nil
	}
	return err
}

func (e *entry) vanish() { e.stamp, e.seen = disk.Stamp{}, 0 }

// hashFile hashes what the file has, most likely size bytes.
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
		end := n == 0 || count == size && filled+n < len(buf) // less than asked for, and all that there should be
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
