package engine

import "sync"

// A gate lets a number of tasks through at once. Of those that wait, the
// earliest in the order of a run is next, whoever came first: with one at a
// time, every run has the same order.
type gate struct {
	mu      sync.Mutex
	free    int
	waiting map[int]chan struct{} // by place in the order
}

func newGate(width int) *gate { return &gate{free: width, waiting: make(map[int]chan struct{})} }

// enter asks for a way through; it is open once the channel is closed.
func (g *gate) enter(place int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	open := make(chan struct{})
	if g.free > 0 {
		g.free--
		close(open)
		return open
	}
	g.waiting[place] = open
	return open
}

// leave lets the next one through.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.free++
		return
	}
	next := -1
	for place := range g.waiting {
		if next < 0 || place < next {
			next = place
		}
	}
	close(g.waiting[next])
	delete(g.waiting, next)
}
