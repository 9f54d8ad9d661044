package engine

import (
	"sync"
	"sync/atomic"
)

// chunk is how many outputs a goroutine takes at a time: enough for those of one
// directory to stay together.
const chunk = 64

// parallel calls work on several cores, if n things are enough for that. Each call of next
// returns the places of some that are left, in order, until none is left or a call of
// work has failed. It returns the first error.
func (s *session) parallel(n int, work func(next func() (from, to int, ok bool)) error) error {
	var at atomic.Int64
	var failed atomic.Pointer[error]
	next := func() (from, to int, ok bool) {
		from = int(at.Add(chunk)) - chunk
		return from, min(from+chunk, n), from < n && failed.Load() == nil
	}
	run := func() {
		if err := work(next); err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	var helpers sync.WaitGroup
	for range (n - 1) / chunk {
		select {
		case s.helpers <- struct{}{}:
			helpers.Go(func() {
				defer func() { <-s.helpers }()
				run()
			})
			continue
		default: // every core has one
		}
		break
	}
	run()
	helpers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
