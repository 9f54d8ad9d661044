package hits_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"cachekey/internal/engine"
	"cachekey/internal/hits"
)

// everything is output with every word of the protocol.
const everything = `Starting...
Skipped (Cached)
Completed in 1.0s
Failed after 1.0s: exit status 1
Interrupted after 1.0s
Runs again: damaged blob
✓ Completed in 1.0s
✗ Failed after 1.0s
~ Cached
⚡ Cached (skipped in 5ms)
[t] Starting...
[other] Completed in 1.0s
1 ran, 0 cached; took 1.0s
::endgroup::
::group::t
2026-01-01T00:00:00Z [t] Skipped (Cached)
`

// TestTaskThatPrintsTheProtocol reads the logs of runs in which a task ran, failed, and
// was skipped, and printed everything each time.
func TestTaskThatPrintsTheProtocol(t *testing.T) {
	say := func(out io.Writer) error { _, err := io.WriteString(out, everything); return err }
	run := func(l *engine.Lines, s engine.Summary, do func()) {
		do()
		l.Done(s)
	}
	ran := func(l *engine.Lines, end func()) {
		out := l.Started("t")
		_ = say(out)
		out.Close()
		end()
	}
	for _, github := range []bool{false, true} {
		for _, logs := range []engine.Logs{engine.FullLogs, engine.NewLogs, engine.FailedLogs, engine.NoLogs} {
			var log strings.Builder
			l := &engine.Lines{To: &log, GitHub: github, Logs: func(string) engine.Logs { return logs }}
			check := func(want hits.Status) {
				t.Helper()
				r := hits.NewReader()
				if err := r.Read(strings.NewReader(log.String())); err != nil {
					t.Fatalf("%s, GitHub: %v: %v\n%s", logs, github, err, log.String())
				}
				if got := r.Log().Task("t"); got == nil || got.Status != want || len(r.Log().Tasks) > 2 {
					t.Errorf("%s, GitHub: %v: got %+v, want %s\n%s", logs, github, r.Log(), want, log.String())
				}
				log.Reset()
			}
			skip := func() {
				run(l, engine.Summary{Cached: 1, Took: time.Second}, func() { l.Cached("t", say) })
			}
			complete := func() {
				run(l, engine.Summary{Ran: 1, Took: time.Second}, func() { ran(l, func() { l.Completed("t", time.Second) }) })
			}
			fail := func() {
				run(l, engine.Summary{Failed: []string{"t"}, Took: time.Second}, func() { ran(l, func() { l.Failed("t", time.Second, errors.New("exit status 1")) }) })
			}
			skip()
			check(hits.Skipped)
			complete()
			check(hits.Ran)
			fail()
			check(hits.Failed)
			skip()
			skip()
			check(hits.Skipped)
			complete()
			skip()
			check(hits.Ran)
			skip()
			complete()
			check(hits.Ran)
			skip()
			fail()
			skip()
			check(hits.Failed)
			l.RunsAgain("t", errors.New("restoring out"))
			complete()
			if r := hits.NewReader(); r.Read(strings.NewReader(log.String())) != nil || !r.Log().Task("t").Again {
				t.Errorf("it runs again: %+v\n%s", r.Log(), log.String())
			}
			check(hits.Ran)
			complete()
			if r := hits.NewReader(); r.Read(strings.NewReader(log.String())) != nil || r.Log().Task("t").Again {
				t.Errorf("its output says that it runs again: %+v", r.Log())
			}
			check(hits.Ran)
		}
	}
}
