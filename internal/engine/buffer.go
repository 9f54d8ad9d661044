package engine

import (
	"io"
	"os"
	"sync"
	"time"
)

// maxBuffered is the number of bytes of a task's output that are kept in memory. A
// larger output is moved to an unnamed file.
const maxBuffered = 256 << 10

// An outputBuffer holds the output of a task until it is printed: at the end of the
// task, from time to time while it runs, and when no file can hold more of it.
type outputBuffer struct {
	print  func()
	timer  *time.Timer // calls print; nil if failed is set
	failed bool        // print it only if the task fails

	mu     sync.Mutex // guards the fields below
	file   *os.File   // the beginning of the output; nil if it is in memory as well
	memory []byte
}

func (b *outputBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	b.memory = append(b.memory, p...)
	full := len(b.memory) > maxBuffered && !b.toFile()
	b.mu.Unlock()
	if full {
		b.print()
	}
	return len(p), nil
}

// toFile moves the memory to the file. It fails if the file system is full, or without a
// directory for temporary files. The caller holds b.mu.
func (b *outputBuffer) toFile() bool {
	if b.file == nil {
		f, err := os.CreateTemp("", "same-output-*")
		if err != nil {
			return false
		}
		os.Remove(f.Name())
		b.file = f
	}
	n, err := b.file.Write(b.memory)
	b.memory = b.memory[n:]
	return err == nil
}

func (b *outputBuffer) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.memory) == 0 && b.file == nil
}

// copyTo writes what b holds to w, and empties b.
func (b *outputBuffer) copyTo(w io.Writer) error {
	b.mu.Lock()
	memory, file := b.memory, b.file
	b.memory, b.file = nil, nil
	b.mu.Unlock()
	if file != nil {
		defer file.Close()
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(w, file); err != nil {
			return err
		}
	}
	_, err := w.Write(memory)
	return err
}
