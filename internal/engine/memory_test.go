package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cachekey/internal/manifest"
)

// While one task runs, many others wait, each with the same long list of inputs.
// TestMemoryOfWaitingTasks measures the heap when all of them wait.
func TestMemoryOfWaitingTasks(t *testing.T) {
	const tasks, inputs = 60, 3000
	root := t.TempDir()
	for i := range inputs {
		name := filepath.Join(root, "src", fmt.Sprintf("%02d/a-name-of-some-length-%d", i%20, i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := "version: \"1\"\ntasks:\n  a: {input: [], cmd: [sh, -c, 'while [ ! -e go ]; do sleep 0.01; done']}\n"
	for i := range tasks {
		text += fmt.Sprintf("  t%d: {input: [src], cmd: [\"true\"]}\n", i)
	}
	if err := os.WriteFile(filepath.Join(root, "same.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ws, err := manifest.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(Config{Workspace: ws, Jobs: 1, LookupEnv: os.LookupEnv, Report: &Lines{To: new(strings.Builder)}, Warnf: t.Errorf})
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.close(true)
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	r := newRun(s, ws.Tasks)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.all(context.Background())
	}()
	for waiting := 0; waiting < tasks; time.Sleep(time.Millisecond) {
		r.jobs.mu.Lock()
		waiting = len(r.jobs.waiting)
		r.jobs.mu.Unlock()
	}
	// The index has every file once; a list per waiting task would be 15 MiB.
	if at := inUse(); at > before+5<<20 {
		t.Errorf("got %d KiB when %d tasks wait, want at most 5 MiB more than the %d KiB before", at>>10, tasks, before>>10)
	}
	if err := os.WriteFile(filepath.Join(root, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	<-ended
	if r.summary.Ran != tasks+1 {
		t.Errorf("got %+v, want %d ran", r.summary, tasks+1)
	}
}
