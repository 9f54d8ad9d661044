package engine

import (
	"os/exec"
	"testing"
	"time"
)

// TestStopStartingTask checks that no command is started while ^Z stops same.
func TestStopStartingTask(t *testing.T) {
	var gs groups
	gs.starting.Lock()
	started := make(chan struct{})
	cmd := exec.Command("true")
	go func() {
		defer close(started)
		if _, err := gs.start(cmd); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-started:
		t.Error("started while same is stopped")
	case <-time.After(100 * time.Millisecond):
	}
	gs.starting.Unlock()
	<-started
	if err := cmd.Wait(); err != nil || len(gs.all) != 1 {
		t.Errorf("got %v, %d groups, want 1", err, len(gs.all))
	}
}
