package dotsame

import (
	"bytes"
	"io"
	"os"
	"syscall"
)

// sparseBlock is the size of what can be a hole: a block of most file systems.
const sparseBlock = 4 << 10

var zeroBlock [sparseBlock]byte

// isSparse reports whether f has holes.
func isSparse(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st := info.Sys().(*syscall.Stat_t)
	return st.Blocks*512 < st.Size
}

// writeCopy calls fill with a writer for the empty file to. If from has holes, blocks of
// zeros become holes of to.
func writeCopy(to, from *os.File, fill func(io.Writer) error) error {
	if !isSparse(from) {
		return fill(to)
	}
	w := &sparseWriter{f: to}
	if err := fill(w); err != nil {
		return err
	}
	return to.Truncate(w.size)
}

// A sparseWriter writes a file from its start, except for blocks of zeros. The caller
// must then set its size.
type sparseWriter struct {
	f    *os.File
	size int64
}

func (w *sparseWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 && err == nil {
		n := len(p) // of the bytes before the next block of zeros
		if bytes.HasPrefix(p, zeroBlock[:]) {
			n = 0
		}
		for at := sparseBlock; at < n; at += sparseBlock {
			if bytes.HasPrefix(p[at:], zeroBlock[:]) {
				n = at
			}
		}
		skip := sparseBlock
		if n > 0 {
			n, err = w.f.WriteAt(p[:n], w.size)
			skip = n
		}
		written += skip
		w.size += int64(skip)
		p = p[skip:]
	}
	return written, err
}
