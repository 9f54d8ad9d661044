package hits

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// MaxTasks is how many tasks logs may speak of before they are refused.
const MaxTasks = 100_000

// A Reader puts together what logs say. Its memory grows with the number of
// tasks, not with the length of logs or lines.
type Reader struct {
	tasks map[string]*state
	order []string
	lines int
}

// state is what is known of a task so far.
type state struct {
	status Status // "" if it has only begun
	took   time.Duration
	// open says that the task has begun and not ended. Whatever is said of
	// it then, but for its end, the task may have printed.
	open bool
	// silent says that nothing was printed since it began.
	silent bool
	// cached says that the existing same's "Cached" came while it was silent.
	// It stands if nothing comes after it.
	cached bool
}

// NewReader gives a reader that has read nothing.
func NewReader() *Reader { return &Reader{tasks: map[string]*state{}} }

// Read reads a whole log.
func (r *Reader) Read(log io.Reader) error {
	b := bufio.NewReaderSize(log, 1<<16)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 {
			if err := r.line(line); err != nil {
				return err
			}
		}
		for err == bufio.ErrBufferFull { // what is left of a long line says nothing
			_, err = b.ReadSlice('\n')
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Lines gives the number of lines about a task so far.
func (r *Reader) Lines() int { return r.lines }

func (r *Reader) line(line []byte) error {
	name, w, took := parseLine(line)
	if name == "" {
		return nil
	}
	t := r.tasks[name]
	if t == nil {
		if w == output {
			return nil // of something else that writes in brackets
		}
		if len(r.order) == MaxTasks {
			return fmt.Errorf("it speaks of more than %d tasks", MaxTasks)
		}
		t = &state{}
		r.tasks[name] = t
		r.order = append(r.order, name)
	}
	r.lines++
	t.hear(w, took)
	return nil
}

func (t *state) hear(w word, took time.Duration) {
	switch w {
	case completed:
		*t = state{status: Ran, took: took}
		return
	case failed:
		*t = state{status: Failed, took: took}
		return
	case starting:
		if t.cached { // and that was all: it begins in another run
			t.skip()
			t.open, t.cached = false, false
		}
		if !t.open {
			t.open, t.silent = true, true
			return
		}
	case cached:
		if t.open && t.silent && !t.cached {
			t.cached = true
			return
		}
		if !t.open {
			t.skip()
			return
		}
	case skipped:
		if !t.open {
			t.skip()
			return
		}
	}
	// The task printed it, so it ran.
	if t.open {
		t.silent, t.cached = false, false
	}
}

// skip notes that the task was skipped; if it ran before, it ran.
func (t *state) skip() {
	if t.status == "" {
		t.status = Skipped
	}
}

// Log says what all the logs said.
func (r *Reader) Log() *Log {
	l := &Log{}
	for _, name := range r.order {
		t := *r.tasks[name]
		switch {
		case t.open && t.cached:
			t.skip()
		case t.open:
			t.status, t.took = Unfinished, 0
		}
		l.Tasks = append(l.Tasks, Task{Name: name, Status: t.status, Took: t.took})
	}
	return l
}
