// Package hits reads the logs of same and says which tasks were skipped, which
// ran and which failed, and whether that is as it should be.
//
// It knows the lines of our runner,
//
//	[task] Starting...
//	[task] Completed in 1.2s
//	[task] Failed after 1.2s: exit status 2
//	[task] Skipped (Cached)
//
// and those of the existing Go same, which says Starting... of a task that it
// skips, too:
//
//	[task] ✓ Completed in 1.2s
//	[task] ✗ Failed after 1.2s: exit status 2
//	[task] ~ Cached
//	[task] ⚡ Cached (skipped in 5ms)
//
// Around them it overlooks colours, the times that GitHub puts in front of each
// line, and the job and step that `gh run view --log` puts before those.
//
// Everything that a task prints begins with its name in brackets as well, so a task may print
// lines like these. It can't pass for skipped with them: what ran once, ran.
package hits

import (
	"cmp"
	"slices"
	"time"
)

// A Status is what became of a task.
type Status string

// The statuses.
const (
	Skipped    Status = "skipped"
	Ran        Status = "ran"
	Failed     Status = "failed"
	Unfinished Status = "unfinished" // the log ends before the task does
)

// A Task is what a log says of one task.
type Task struct {
	Name   string
	Status Status
	Took   time.Duration // of the last run; 0 if the log does not tell
	Saved  time.Duration // what skipping it saved; 0 if nobody knows
}

// A Log is what one or more logs say.
type Log struct {
	Tasks []Task // in the order in which they first appear
}

// Count gives the number of tasks with one of the statuses.
func (l *Log) Count(of ...Status) int {
	n := 0
	for _, t := range l.Tasks {
		if slices.Contains(of, t.Status) {
			n++
		}
	}
	return n
}

// Saved is how long the skipped tasks took when they last ran, as far as known.
func (l *Log) Saved() (sum time.Duration) {
	for _, t := range l.Tasks {
		sum += t.Saved
	}
	return sum
}

// Task gives the task called name, or nil.
func (l *Log) Task(name string) *Task {
	for i := range l.Tasks {
		if l.Tasks[i].Name == name {
			return &l.Tasks[i]
		}
	}
	return nil
}

// LookUpSaved fills in Saved of each skipped task; duration gives how long the task
// took when it last ran, or 0.
func (l *Log) LookUpSaved(duration func(task string) time.Duration) {
	for i := range l.Tasks {
		if t := &l.Tasks[i]; t.Status == Skipped {
			t.Saved = max(0, duration(t.Name))
		}
	}
}

// Slowest gives the tasks from what mattered most: failures, then what ran, by
// time, then what was skipped, by what that saved.
func (l *Log) Slowest() []Task {
	rank := map[Status]int{Failed: 0, Unfinished: 1, Ran: 2, Skipped: 3}
	tasks := slices.Clone(l.Tasks)
	slices.SortStableFunc(tasks, func(a, b Task) int {
		return cmp.Or(cmp.Compare(rank[a.Status], rank[b.Status]), cmp.Compare(b.Took+b.Saved, a.Took+a.Saved))
	})
	return tasks
}
