package engine

import (
	"io"
	"time"
)

// A Reporter tells people what happens. Its methods are called at once.
type Reporter interface {
	Waiting(pid int, killed bool) // for another run in the same workspace, or for what one that was killed has left
	Started(task string) Output   // the task's output goes there, until it is closed
	Completed(task string, took time.Duration)
	Failed(task string, took time.Duration, err error) // also of a task that could not be started
	Cached(task string)
	Done(Summary)
}

// An Output takes what a task says. Close is called before the task's end is
// reported.
type Output io.WriteCloser
