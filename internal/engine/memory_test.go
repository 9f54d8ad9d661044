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

	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// TestWaitingTasksAreLight has many tasks with the same many inputs wait for one
// that runs, and looks at the memory in use when all but that one wait.
func TestWaitingTasksAreLight(t *testing.T) {
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
	text := "version: \"1\"\ntasks:\n  a: {cmd: [sh, -c, 'while [ ! -e go ]; do sleep 0.01; done']}\n"
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
	r := &Runner{Workspace: ws, Jobs: 1, LookupEnv: os.LookupEnv, Report: &Lines{To: new(strings.Builder)}, Warnf: t.Errorf, dir: dotsame.Open(root)}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	defer r.close()
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	s := newSchedule(r, ws.Tasks)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run(context.Background())
	}()
	for waiting := 0; waiting < tasks; time.Sleep(time.Millisecond) {
		s.jobs.mu.Lock()
		waiting = len(s.jobs.waiting)
		s.jobs.mu.Unlock()
	}
	// The files themselves, once; the lists of all that wait would be 15 MiB.
	if at := inUse(); at > before+5<<20 {
		t.Errorf("%d KiB were in use before, %d KiB when %d tasks wait", before>>10, at>>10, tasks)
	}
	if err := os.WriteFile(filepath.Join(root, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	<-ended
	if s.summary.Ran != tasks+1 {
		t.Errorf("%+v", s.summary)
	}
}
