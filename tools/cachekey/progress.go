package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// A progress tells people on a terminal what takes so long, and how far it is.
type progress struct {
	done, total atomic.Int64 // bytes
	files       atomic.Int64
	stop        func()
}

// newProgress says that what, "hashing the tree", is going on until stop.
func newProgress(o *cli.IO, what string) *progress {
	p := &progress{}
	p.stop = o.Status(func(since time.Duration) string {
		return what + p.howFar() + ", " + message.Elapsed(since)
	})
	return p
}

// bytes and read count.
func (p *progress) bytes(done, total int64) {
	p.done.Store(done)
	p.total.Store(total)
}

func (p *progress) read(files, bytes int64) {
	p.files.Store(files)
	p.done.Store(bytes)
}

func (p *progress) howFar() string {
	done := byteSize(p.done.Load())
	switch {
	case p.total.Load() > 0:
		return fmt.Sprintf(": %s of %s", done, byteSize(p.total.Load()))
	case p.files.Load() > 0:
		return fmt.Sprintf(": %s, %s", count(int(p.files.Load()), "file"), done)
	}
	return ""
}

// compute is key.Compute with a sign of life.
func compute(ctx context.Context, o *cli.IO, opts key.Options) (*key.Document, error) {
	hashing := newProgress(o, "hashing the tree")
	defer hashing.stop()
	opts.Progress = hashing.bytes
	return key.Compute(ctx, opts)
}
