package engine

import (
	"container/heap"
	"sync"
)

// A gate lets a limited number of tasks through at a time. Among those that wait, the
// earliest in the order of the run is next. With one task at a time, every run has
// the same order.
type gate struct {
	mu      sync.Mutex
	free    int
	waiting turns
}

func newGate(width int) *gate { return &gate{free: width} }

// enter returns a channel that is closed when the task may pass.
func (g *gate) enter(place int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := turn{place, make(chan struct{})}
	if g.free > 0 {
		g.free--
		close(t.come)
	} else {
		heap.Push(&g.waiting, t)
	}
	return t.come
}

// leave lets the next task through.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.free++
		return
	}
	close(heap.Pop(&g.waiting).(turn).come)
}

// A turn is a task that waits at a gate.
type turn struct {
	place int           // in the order of the run
	come  chan struct{} // closed when the task may pass
}

// turns is a heap.Interface with the earliest place first.
type turns []turn

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i].place < t[j].place }
func (t turns) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *turns) Push(x any)        { *t = append(*t, x.(turn)) }
func (t *turns) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
