package engine

import (
	"io"
	"time"

	"cachekey/internal/dotsame"
)

// A Reporter prints what happens. Its methods may be called concurrently.
type Reporter interface {
	Waiting(*dotsame.LockedError) // for another run in the same workspace
	Started(task string) Output   // the task's output goes there, until it is closed
	Completed(task string, took time.Duration)
	Failed(task string, took time.Duration, err error) // also of a task that could not be started
	Cached(task string)
	Done(Summary)
}

// An Output takes what a task says. Close is called before the task's end is
// reported.
type Output io.WriteCloser
