package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"cachekey/internal/cli"
	"cachekey/internal/message"
)

// A progress shows on a terminal which long operation is running, and how much of it
// is done.
type progress struct {
	done, total atomic.Int64 // bytes
	files       atomic.Int64
	stop        func()
}

// newProgress shows the operation what, such as "hashing the tree", until stop is
// called.
func newProgress(o *cli.IO, what string) *progress {
	p := &progress{}
	p.stop = o.Status(func(since time.Duration) string {
		return what + p.text() + ", " + message.Elapsed(since)
	})
	return p
}

// bytes sets how much is done.
func (p *progress) bytes(done, total int64) {
	p.done.Store(done)
	p.total.Store(total)
}

func (p *progress) read(files, bytes int64) {
	p.files.Store(files)
	p.done.Store(bytes)
}

func (p *progress) text() string {
	done := cli.Bytes(p.done.Load())
	switch {
	case p.total.Load() > 0:
		return fmt.Sprintf(": %s of %s", done, cli.Bytes(p.total.Load()))
	case p.files.Load() > 0:
		return fmt.Sprintf(": %s, %s", count(int(p.files.Load()), "file"), done)
	}
	return ""
}

// count formats a number of things: "1 file", "2 files".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
