package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cachekey/internal/engine"
	"cachekey/internal/message"
)

// A live keeps the status line that a terminal shows below a run: how many tasks
// are done, and which are running, for how long.
type live struct {
	engine.Reporter // of the lines
	tasks           int

	mu      sync.Mutex
	done    int
	running []runningTask // in the order in which they started
}

type runningTask struct {
	name  string
	since time.Time
}

func (l *live) Started(task string) engine.Output {
	l.mu.Lock()
	l.running = append(l.running, runningTask{task, time.Now()})
	l.mu.Unlock()
	return l.Reporter.Started(task)
}

func (l *live) Completed(task string, took time.Duration) {
	l.end(task)
	l.Reporter.Completed(task, took)
}

func (l *live) Failed(task string, took time.Duration, err error) {
	l.end(task)
	l.Reporter.Failed(task, took, err)
}

func (l *live) Cached(task string) {
	l.end(task)
	l.Reporter.Cached(task)
}

func (l *live) end(task string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	l.running = slices.DeleteFunc(l.running, func(r runningTask) bool { return r.name == task })
}

// status returns "2 of 12 tasks done; running: build 14s, test 3s".
func (l *live) status(time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%d of %d tasks done", l.done, l.tasks)
	if len(l.running) == 0 {
		return text
	}
	names := make([]string, len(l.running))
	for i, r := range l.running {
		names[i] = r.name + " " + message.Elapsed(time.Since(r.since))
	}
	return text + "; running: " + strings.Join(names, ", ")
}
