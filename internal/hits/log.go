// Package hits reads the logs of same. It determines which tasks were skipped, which
// ran and which failed, and checks that against a requirement or a plan.
//
// It reads the lines of our runner,
//
//	[task] Runs again: damaged cache: restoring out: …
//	[task] Starting...
//	[task] Completed in 1.2s
//	[task] Failed after 1.2s: exit status 2
//	[task] Interrupted after 1.2s
//	[task] Skipped (Cached)
//
// and those of upstream same, which also prints Starting... for a task that it skips:
//
//	[task] ✓ Completed in 1.2s
//	[task] ✗ Failed after 1.2s: exit status 2
//	[task] ~ Cached
//	[task] ⚡ Cached (skipped in 5ms)
//
// It ignores colours, the times that GitHub puts in front of each line, and the job
// and step that `gh run view --log` puts before those.
//
// A run of our runner ends with a line of counts:
//
//	1 ran, 2 cached, 1 failed (d), 1 interrupted (e), 3 not run; took 4.0s, saved 2.0s
//
// A log without it was cut off, and so was one with other counts than lines. A log
// may hold several runs.
//
// A task's own output begins with its name in brackets as well, also when it is printed
// again after Skipped (Cached), so it may have lines like these. Hence the first of
// Starting... and Skipped (Cached) in a run of our runner decides about a task; what
// follows under its name, up to the line of counts, is its output or its end. A task that
// ran once is never reported as skipped.
package hits

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"cachekey/internal/message"
)

// A Status is the outcome of a task.
type Status string

// The statuses.
const (
	Skipped     Status = "skipped"
	Ran         Status = "ran"
	Failed      Status = "failed"
	Interrupted Status = "interrupted" // the run was interrupted while the task ran
	Unfinished  Status = "unfinished"  // the log ends before the task does
)

// A Task is the outcome of a task according to a log.
type Task struct {
	Name   string
	Status Status
	Took   time.Duration // by the last run; 0 if unknown
	Saved  time.Duration // by skipping it; 0 if unknown
	Again  bool          // it ran because its result could not be restored
}

// A Log is the content of one or more logs.
type Log struct {
	Tasks []Task // in the order in which they first appear
}

// Count returns the number of tasks with one of the statuses.
func (l *Log) Count(of ...Status) int {
	n := 0
	for _, t := range l.Tasks {
		if slices.Contains(of, t.Status) {
			n++
		}
	}
	return n
}

// Saved returns how long the skipped tasks took when they last ran, if known.
func (l *Log) Saved() (sum time.Duration) {
	for _, t := range l.Tasks {
		sum += t.Saved
	}
	return sum
}

// Task returns the task called name, or nil.
func (l *Log) Task(name string) *Task {
	if i := slices.IndexFunc(l.Tasks, func(t Task) bool { return t.Name == name }); i >= 0 {
		return &l.Tasks[i]
	}
	return nil
}

// LookUpSaved sets Saved of each skipped task. duration returns how long a task took
// when it last ran, or 0.
func (l *Log) LookUpSaved(duration func(task string) time.Duration) {
	for i := range l.Tasks {
		if t := &l.Tasks[i]; t.Status == Skipped {
			t.Saved = max(0, duration(t.Name))
		}
	}
}

// Slowest returns the tasks by importance: failures, then those that ran, by time,
// then those that were skipped, by the time that this saved.
func (l *Log) Slowest() []Task {
	rank := map[Status]int{Failed: 0, Interrupted: 1, Unfinished: 2, Ran: 3, Skipped: 4}
	tasks := slices.Clone(l.Tasks)
	slices.SortStableFunc(tasks, func(a, b Task) int {
		return cmp.Or(cmp.Compare(rank[a.Status], rank[b.Status]), cmp.Compare(b.Took+b.Saved, a.Took+a.Saved))
	})
	return tasks
}

// MaxTasks is the maximum number of tasks in logs.
const MaxTasks = 100_000

// A Reader collects the tasks of logs. Its memory grows with the number of
// tasks, not with the length of logs or lines.
type Reader struct {
	tasks map[string]*state
	order []*state
	lines int

	// Of the log that is being read:
	counted  bool              // it has a line of counts
	ours     bool              // it has a line that only our runner prints
	upstream bool              // it has a line that only upstream same prints
	since    map[string]Status // of the tasks since the last line of counts; Unfinished: it has only started
}

// state is the state of a task after the lines so far.
type state struct {
	name   string
	status Status // "" if it has only started
	took   time.Duration
	// again means that a line said so before it started.
	again bool
	// open means that the task has started and not ended. The task itself may have
	// printed any line in between.
	open bool
	// silent means that there was no line since the task started.
	silent bool
	// cached means that upstream same's "Cached" came while the task was silent. It
	// counts if nothing comes after it.
	cached bool
}

// NewReader returns a Reader that has read nothing.
func NewReader() *Reader { return &Reader{tasks: map[string]*state{}, since: map[string]Status{}} }

// Read reads a whole log. A log of our runner that is not complete is an error.
func (r *Reader) Read(log io.Reader) error {
	r.counted, r.ours, r.upstream, r.since = false, false, false, map[string]Status{}
	if err := r.read(log); err != nil {
		return err
	}
	switch {
	case r.upstream && !r.ours && !r.counted: // it prints no counts
		return nil
	case len(r.since) > 0 || !r.counted && r.ours:
		return message.WithHint(errors.New("it has no line of counts at its end: it was cut off"),
			"the last line of a run is like \"1 ran, 2 cached; took 1.0s\": read the whole log")
	}
	return nil
}

func (r *Reader) read(log io.Reader) error {
	b := bufio.NewReaderSize(log, 1<<16)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 {
			if err := r.line(line); err != nil {
				return err
			}
		}
		for err == bufio.ErrBufferFull { // ignore the rest of a long line
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

// Lines returns the number of lines about a task so far.
func (r *Reader) Lines() int { return r.lines }

func (r *Reader) line(line []byte) error {
	if len(line) < len("[a] ") {
		return nil
	}
	line = plain(line)
	if want, ok := parseCounts(line); ok {
		return r.counts(want)
	}
	name, e, took := parseLine(line)
	if name == nil {
		return nil
	}
	t := r.tasks[string(name)]
	switch {
	case t != nil:
	case e == output:
		return nil // something else that prints brackets
	case len(name) > maxName:
		return fmt.Errorf("the name of a task has more than %d bytes: %.40q", maxName, name)
	case len(r.order) == MaxTasks:
		return fmt.Errorf("the log mentions more than %d tasks", MaxTasks)
	default:
		t = &state{name: string(name)}
		r.tasks[t.name] = t
		r.order = append(r.order, t)
	}
	r.lines++
	since := r.since[t.name]
	switch {
	case since == Skipped:
		return nil // what it printed when it ran
	case since != "" && e == again:
		e = output
	}
	wasOpen := t.open
	t.update(e, took)
	if e == output {
		return nil
	}
	switch {
	case bytes.Contains(line, []byte("] ✓ ")), bytes.Contains(line, []byte("] ✗ ")), e == cached:
		r.upstream = true
		if since == Unfinished {
			delete(r.since, t.name)
		}
	case e == starting && !wasOpen:
		r.since[t.name] = Unfinished
	case outcomes[e] != "":
		r.ours, r.since[t.name] = true, outcomes[e]
	case e == skipped && !t.open && since == "":
		r.ours, r.since[t.name] = true, Skipped
	}
	return nil
}

// counts compares the counts in the last line of a run with the lines before it.
func (r *Reader) counts(want [len(counts)]int) error {
	var got map[Status]int
	if len(r.since) > 0 {
		got = map[Status]int{}
		for _, s := range r.since {
			got[s]++
		}
		r.since = map[string]Status{} // to clear a map takes as long as it was ever large
	}
	r.counted = true
	if n := got[Unfinished]; n > 0 {
		return fmt.Errorf("the log has %d tasks that start and do not end before its line of counts: lines are missing", n)
	}
	for i, c := range counts {
		if got[c.status] != want[i] {
			return fmt.Errorf("the log has %d tasks with the status %q, but its last line counts %d: lines are missing", got[c.status], c.status, want[i])
		}
	}
	return nil
}

func (t *state) update(e event, took time.Duration) {
	switch e {
	case completed, failed, interrupted:
		*t = state{name: t.name, status: outcomes[e], took: took, again: t.again}
		return
	case again:
		if !t.open {
			t.again = true
			return
		}
	case starting:
		if t.cached { // and then the next run started
			t.skip()
			t.open, t.cached = false, false
		}
		if !t.open {
			t.open, t.silent = true, true
			return
		}
	case cached, skipped:
		if !t.open {
			t.skip()
			return
		}
		if e == cached && t.silent && !t.cached {
			t.cached = true
			return
		}
	}
	// The task printed it, so it ran.
	if t.open {
		t.silent, t.cached = false, false
	}
}

// skip records that the task was skipped, unless it ran before.
func (t *state) skip() {
	if t.status == "" {
		t.status = Skipped
	}
}

// Log returns the tasks of all logs.
func (r *Reader) Log() *Log {
	l := &Log{}
	for _, task := range r.order {
		t := *task
		switch {
		case t.open && t.cached:
			t.skip()
		case t.open, t.status == "": // the log ends after Runs again
			t.status, t.took = Unfinished, 0
		}
		l.Tasks = append(l.Tasks, Task{Name: t.name, Status: t.status, Took: t.took, Again: t.again})
	}
	return l
}
