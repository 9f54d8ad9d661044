package engine

import "testing"

func TestGate(t *testing.T) {
	g := newGate(1)
	<-g.enter(5)
	third, first, second := g.enter(9), g.enter(1), g.enter(3)
	for i, open := range []<-chan struct{}{first, second, third} {
		g.leave()
		select {
		case <-open:
		default:
			t.Errorf("task %d of the order may not pass", i)
		}
	}
	g.leave()
	<-g.enter(1)
}
