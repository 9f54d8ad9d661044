package seal

import (
	"cmp"
	"context"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// A job is one step of a pipeline: a file to hash, or anything else that is handed
// on in its place.
type job struct {
	dir     *disk.Dir // held until the job is done; nil if there is nothing on disk
	name    string
	path    string
	kind    disk.Kind
	want    Entry  // the entry of the seal; zero in Make
	problem string // if not "", the file is not hashed
	blob    bool   // isBlob(path)
	deep    bool   // hash it even if it is a blob

	info   disk.Info
	size   int64 // bytes hashed
	digest digest.Digest
	err    error
}

// A batch has as many jobs as make a hand-over worthwhile, in as few directories
// as may be held open.
type batch struct {
	jobs []job
	dirs int
	done chan struct{}
}

const (
	batchJobs = 128
	batchDirs = 8
)

// A pipeline hashes files on all cores and hands them on in order. Producer and
// consumer wait for each other, so that only a few batches are in memory.
type pipeline struct {
	ctx     context.Context
	filling *batch
	work    chan *batch
	ordered chan *batch
}

// run calls produce, which adds jobs to the pipeline, and calls consume with each
// finished job, in order, on the caller's goroutine. The first error of either
// ends the run and is returned.
func run(ctx context.Context, produce func(*pipeline) error, consume func(*job) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	depth := min(4*workers, 32)
	p := &pipeline{ctx: ctx, work: make(chan *batch, depth), ordered: make(chan *batch, depth)}

	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for b := range p.work {
				for i := range b.jobs {
					if ctx.Err() == nil {
						b.jobs[i].hash(ctx)
					}
				}
				close(b.done)
			}
		})
	}
	var produced, consumed error
	wg.Go(func() {
		produced = produce(p)
		p.flush()
		close(p.work)
		close(p.ordered)
	})
	for b := range p.ordered {
		<-b.done
		for i := range b.jobs {
			j := &b.jobs[i]
			if consumed == nil && ctx.Err() == nil {
				if consumed = consume(j); consumed != nil {
					cancel()
				}
			}
			if j.dir != nil {
				j.dir.Close()
			}
		}
	}
	wg.Wait()
	return cmp.Or(consumed, produced, ctx.Err())
}

// add appends j and holds its directory open until it is done.
func (p *pipeline) add(j job) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if p.filling == nil {
		p.filling = &batch{jobs: make([]job, 0, batchJobs), done: make(chan struct{})}
	}
	b := p.filling
	if j.dir != nil {
		j.dir.Hold()
		if len(b.jobs) == 0 || b.jobs[len(b.jobs)-1].dir != j.dir {
			b.dirs++
		}
	}
	b.jobs = append(b.jobs, j)
	if len(b.jobs) == batchJobs || b.dirs == batchDirs {
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

// hash opens and hashes the file of j, or only looks at a blob. In Verify a file whose
// size differs from the seal's is not read.
func (j *job) hash(ctx context.Context) {
	if j.dir == nil || j.problem != "" || j.kind != disk.File {
		return
	}
	if j.blob && !j.deep {
		if j.info, j.err = j.dir.Lstat(j.name); j.err == nil && j.ours() {
			j.size = j.info.Size
			if j.want.Path != "" && j.info.Mode&0o022 != 0 {
				j.dir.Protect(j.name)
			}
		}
		return
	}
	fd, info, err := j.dir.Open(j.name)
	if err != nil {
		j.err = err
		return
	}
	defer unix.Close(fd)
	if j.info = info; !j.ours() {
		return
	}
	if j.want.Path != "" { // nobody else may write to it after it has been verified
		disk.ProtectFD(fd, info)
	}
	if j.blob { // its stamp is remembered
		if j.info.Stamp, j.err = disk.Fstat(fd); j.err != nil {
			return
		}
	}
	j.digest, j.size, j.err = disk.Hash(ctx, fd, info.Size, nil)
}

// ours reports whether j's file is one that can be sealed and, in Verify, has the size
// in the seal.
func (j *job) ours() bool {
	return j.info.Kind() == disk.File && j.info.Size <= MaxFileSize && (j.want.Path == "" || j.want.Size == j.info.Size)
}
