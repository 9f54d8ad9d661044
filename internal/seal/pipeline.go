package seal

import (
	"context"
	"runtime"
	"sync"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// readBytes is the size of a worker's buffer: most blobs fit, and are read in one call.
const readBytes = 256 << 10 // 256 KiB

// A task is one step of a pipeline: a file to digest, or nothing to do but to
// keep its place among the others.
type task struct {
	dir  *disk.Dir // held until the task is done
	name string
	path string
	kind disk.Kind
	want Entry  // what the seal says; zero in Make
	what string // why it is to be removed, if that is known already

	got  Entry
	info disk.Info
	err  error
}

// Batches hold as many tasks as are worth a hand-over, and as few directories as
// are cheap to hold open.
const (
	batchTasks = 128
	batchDirs  = 8
)

type batch struct {
	tasks []task
	dirs  int
	done  chan struct{}
}

// A pipeline digests files on all cores and hands them on in the order in which
// they came. Both sides wait for each other, so no more than some batches are
// ever in memory.
type pipeline struct {
	ctx     context.Context
	filling *batch
	work    chan *batch
	ordered chan *batch
}

// run has produce fill a pipeline and gives each finished task to consume, in
// order, on the caller's goroutine. The first error of either ends it.
func run(ctx context.Context, produce func(*pipeline) error, consume func(*task) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	depth := min(4*workers, 32)
	p := &pipeline{ctx: ctx, work: make(chan *batch, depth), ordered: make(chan *batch, depth)}

	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			d := &digester{buf: make([]byte, readBytes), sum: blake3.New()}
			for b := range p.work {
				for i := range b.tasks {
					if ctx.Err() == nil {
						d.digest(ctx, &b.tasks[i])
					}
				}
				close(b.done)
			}
		})
	}
	var produced error
	wg.Go(func() {
		produced = produce(p)
		p.flush()
		close(p.work)
		close(p.ordered)
	})
	var consumed error
	for b := range p.ordered {
		<-b.done
		for i := range b.tasks {
			t := &b.tasks[i]
			if consumed == nil && ctx.Err() == nil {
				if consumed = consume(t); consumed != nil {
					cancel()
				}
			}
			if t.dir != nil {
				t.dir.Close()
			}
		}
	}
	wg.Wait()
	if consumed != nil {
		return consumed
	}
	if produced != nil {
		return produced
	}
	return ctx.Err()
}

// add puts t in line. It holds t.dir, if there is one.
func (p *pipeline) add(t task) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if p.filling == nil {
		p.filling = &batch{tasks: make([]task, 0, batchTasks), done: make(chan struct{})}
	}
	b := p.filling
	if t.dir != nil {
		t.dir.Hold()
		if len(b.tasks) == 0 || b.tasks[len(b.tasks)-1].dir != t.dir {
			b.dirs++
		}
	}
	b.tasks = append(b.tasks, t)
	if len(b.tasks) == batchTasks || b.dirs == batchDirs {
		p.flush()
	}
	return nil
}

func (p *pipeline) flush() {
	if b := p.filling; b != nil {
		p.filling = nil
		p.ordered <- b
		p.work <- b
	}
}

// A digester is one worker's own.
type digester struct {
	buf []byte
	sum *blake3.Hasher
}

// digest opens and reads t's file. In Verify it reads no more than the seal says
// that there is, and nothing where the size alone tells.
func (d *digester) digest(ctx context.Context, t *task) {
	if t.dir == nil || t.what != "" || t.kind != disk.File {
		return
	}
	fd, info, err := t.dir.Open(t.name)
	if err != nil {
		t.err = err
		return
	}
	defer unix.Close(fd)
	t.info = info
	if info.Kind() != disk.File || info.Size > MaxFileSize || (t.want.Path != "" && t.want.Size != info.Size) {
		return
	}
	t.got = Entry{Path: t.path, Size: info.Size}
	if info.Size <= int64(len(d.buf)) {
		n, err := readFull(fd, d.buf[:info.Size])
		t.got.Size, t.err = int64(n), err
		t.got.Digest = digest.Of(d.buf[:n])
		return
	}
	d.sum.Reset()
	t.got.Size = 0
	for t.got.Size < info.Size && t.err == nil {
		n, err := readFull(fd, d.buf[:min(int64(len(d.buf)), info.Size-t.got.Size)])
		d.sum.Write(d.buf[:n])
		t.got.Size += int64(n)
		if t.err = err; err == nil {
			t.err = ctx.Err()
		}
		if n == 0 {
			break
		}
	}
	d.sum.Sum(t.got.Digest[:0])
}

// readFull reads until buf is full or the file ends.
func readFull(fd int, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		if m == 0 {
			break
		}
		n += m
	}
	return n, nil
}
