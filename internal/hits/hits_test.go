package hits

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestLogs reads the logs of testdata. Each file has a log and, in "want", the status
// of each task.
func TestLogs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			log, want := readCase(t, file)
			r := NewReader()
			if err := r.read(bytes.NewReader(log)); err != nil { // not Read: most of them are incomplete
				t.Fatal(err)
			}
			var got strings.Builder
			for _, task := range r.Log().Tasks {
				fmt.Fprintf(&got, "%s %s %s\n", task.Name, task.Status, task.Took)
			}
			if got.String() != want {
				t.Errorf("got\n%swant\n%s", got.String(), want)
			}
		})
	}
}

// readCase returns a log, after replacing escapes such as \e and \r, and its tasks.
func readCase(t testing.TB, file string) (log []byte, want string) {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil || len(a.Files) != 2 {
		t.Fatalf("%s: %v", file, err)
	}
	text := strings.NewReplacer(`\e`, "\x1b", `\r`, "\r", `\t`, "\t", `\b`, "\ufeff").Replace(string(a.Files[0].Data))
	return []byte(text), string(a.Files[1].Data)
}

func TestLongLinesAndLogs(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	log := "[a] Starting...\n[a] " + long + "\n[a] Completed in 1.0s" + long + "\n[b] Skipped (Cached)" + long + "\n[a] Completed in 2.0s\n1 ran, 0 cached; took 2.0s\n"
	r := NewReader()
	if err := r.Read(strings.NewReader(log)); err != nil {
		t.Fatal(err)
	}
	if l := r.Log(); len(l.Tasks) != 1 || l.Tasks[0] != (Task{Name: "a", Status: Ran, Took: 2 * time.Second}) {
		t.Errorf("got %+v", l.Tasks)
	}
	r = NewReader()
	var b strings.Builder
	for i := range MaxTasks + 1 {
		fmt.Fprintf(&b, "[t%d] Starting...\n", i)
	}
	if err := r.Read(strings.NewReader(b.String())); err == nil {
		t.Error("more than MaxTasks tasks: no error")
	}
}

func TestIncompleteLogsAreRefused(t *testing.T) {
	const (
		ran     = "[a] Starting...\n[a] Completed in 1.0s\n"
		skipped = "[b] Skipped (Cached)\n"
		failed  = "[c] Starting...\n[c] Failed after 1.0s: exit status 1\n"
		stopped = "[d] Starting...\n[d] Interrupted after 1.0s\n"
	)
	long := strings.Repeat("n", 256)
	for log, wrong := range map[string]string{
		ran + skipped + "1 ran, 1 cached; took 1.0s, saved 1.0s\n":                                                      "",
		ran + skipped + failed + "1 ran, 1 cached, 1 failed (c), 3 not run; took 1.0s\n":                                "",
		ran + "1 ran, 0 cached; took 1.0s\n" + skipped + "0 ran, 1 cached; took 1.0s\n":                                 "",
		"2026-11-25T19:00:00.1Z " + skipped + "2026-11-25T19:00:00.1Z 0 ran, 1 cached; took 0.1s\n":                     "",
		"[a] Starting...\n[a] Completed in 2s\n[a] Skipped (Cached)\n[a] Completed in 1.0s\n1 ran, 0 cached; took 1.0s": "",
		"[a] Starting...\n[a] ✓ Completed in 1s\n[b] Starting...\n[b] ~ Cached\n":                                       "",
		ran:           "cut off",
		ran + skipped: "cut off",
		ran + "1 ran, 0 cached; took 1.0s\n" + skipped:                                                   "cut off",
		ran + "[c] Starting...\n[b] ~ Cached\n":                                                          "cut off",
		ran + "[a] 1 ran, 0 cached; took 1.0s\n":                                                         "cut off",
		ran + "2 ran, 0 cached; took 1.0s\n":                                                             "counts 2",
		skipped + "0 ran, 2 cached; took 1.0s\n":                                                         "counts 2",
		skipped + stopped + "0 ran, 1 cached, 1 interrupted (d); took 1s":                                "",
		skipped + stopped + "0 ran, 1 cached; took 1.0s\n":                                               "counts 0",
		failed + stopped + "0 ran, 0 cached, 1 failed (c), 2 interrupted (d, e), 1 not run; took 1.0s\n": "counts 2",
		"[e] Starting...\n": "cut off",
		ran + "1 ran, 0 cached; took 1.0s\n[e] Starting...\n":                                                                              "cut off",
		ran + "1 ran, 0 cached; took 1.0s\n[a] Starting...\n":                                                                              "cut off",
		ran + "[e] Starting...\n1 ran, 0 cached; took 1.0s\n":                                                                              "do not end",
		"[a] Starting...\n[a] Completed in 1s\n[a] Starting...\n[a] Interrupted after 1.0s\n0 ran, 0 cached, 1 interrupted (a); took 1.0s": "",
		skipped + "0 ran, 1 cached, 1 failed (x; y); took 1.0s\n":                                                                          "counts 1",
		ran + skipped + failed + "1 ran, 1 cached; took 1.0s\n":                                                                            "counts 0",
		skipped + "[" + long + "] Starting...\n0 ran, 1 cached; took 1.0s":                                                                 "more than 255 bytes",
		"[" + long + "] Skipped (Cached)\n0 ran, 1 cached; took 1.0s":                                                                      "more than 255 bytes",
	} {
		err := NewReader().Read(strings.NewReader(log))
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%q: got %v, want %q", log, err, wrong)
		}
	}
}

func logOf(statuses ...Status) *Log {
	l := &Log{}
	for i, s := range statuses {
		l.Tasks = append(l.Tasks, Task{Name: string(rune('a' + i)), Status: s})
	}
	return l
}

func TestRequirement(t *testing.T) {
	for _, c := range []struct {
		require string
		log     *Log
		wrong   string
	}{
		{"all", logOf(Skipped, Skipped), ""},
		{"all", logOf(Skipped, Ran, Unfinished), `task "b" should be skipped, but ran; task "c" should be skipped, but did not finish`},
		{"100%", logOf(Skipped, Failed), `task "b" should be skipped, but failed`},
		{"all", logOf(Interrupted), `task "a" should be skipped, but was interrupted`},
		{"none", logOf(Ran, Failed), ""},
		{"none", logOf(Ran, Skipped), `task "b" was skipped, but no task should be`},
		{"50%", logOf(Ran, Skipped), ""},
		{"51%", logOf(Ran, Skipped), "1 of 2 tasks were skipped, less than 51%"},
		{"34%", logOf(Ran, Skipped, Ran), "1 of 3 tasks were skipped, less than 34%"},
		{"33%", logOf(Ran, Skipped, Ran), ""},
		{"0%", logOf(Ran), ""},
		{"b", logOf(Ran, Skipped), ""},
		{"a,b", logOf(Ran, Skipped), `task "a" should be skipped, but ran`},
		{"zebra", logOf(Skipped), `task "zebra" should be skipped, but is not in the log`},
		{"50", logOf(Skipped), `task "50" should be skipped, but is not in the log; a percentage would be "50%"`},
	} {
		r, err := ParseRequirement(c.require)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Check(c.log), "; "); got != c.wrong {
			t.Errorf("%s: got %q, want %q", c.require, got, c.wrong)
		}
	}
	for _, bad := range []string{"", "101%", "-1%", "1.5%", "07%", "%", "a,,b", ",", "+5%"} {
		if _, err := ParseRequirement(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestPlan(t *testing.T) {
	plan := func(states ...string) *Plan {
		text := `{"schema":"v1","tasks":[`
		for i, s := range states {
			text += strings.Repeat(",", min(i, 1)) + fmt.Sprintf(`{"task":%q,"state":%q,"reasons":[]}`, string(rune('a'+i)), s)
		}
		p, err := ParsePlan(strings.NewReader(text + "]}"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		plan  *Plan
		log   *Log
		wrong string
	}{
		{plan("cached", "run", "depends", "depends"), logOf(Skipped, Ran, Skipped, Ran), ""},
		{plan("cached"), logOf(Ran), `task "a" was planned as cached, but ran`},
		{plan("cached"), logOf(Failed), `task "a" was planned as cached, but failed`},
		{plan("cached", "cached"), logOf(Skipped), `task "b" was planned as cached, but is not in the log`},
		{plan("run"), logOf(Skipped), `task "a" was planned to run, but was skipped`},
		{plan("fails", "fails"), logOf(Failed), ""},
		{plan("fails"), logOf(Ran), `task "a" was planned to fail, but ran`},
		{plan("run", "run"), logOf(Failed), ""},                         // after a failure the rest does not run
		{plan("cached", "run", "run"), logOf(Skipped, Interrupted), ""}, // nor after an interrupt
		{plan("cached", "run"), logOf(Skipped), `task "b" was planned to run, but is not in the log`},
		{plan("cached", "depends"), logOf(Skipped), `task "b" was planned, but is not in the log`},
		{plan("cached", "depends"), logOf(Unfinished), `task "a" was planned as cached, but did not finish`},
		{plan(), logOf(Ran), ""},
	} {
		wrong, warnings := c.plan.Check(c.log)
		if got := strings.Join(wrong, "; "); got != c.wrong || len(warnings) > 0 {
			t.Errorf("got %q and warnings %q, want %q", got, warnings, c.wrong)
		}
	}
	log := logOf(Ran, Failed, Ran)
	for i := range log.Tasks {
		log.Tasks[i].Again = true
	}
	wrong, warnings := plan("cached", "cached", "run").Check(log)
	if !slices.Equal(wrong, []string{`task "b" was planned as cached, but failed`}) ||
		!slices.Equal(warnings, []string{`task "a" was planned as cached, but ran again: its result could not be restored`}) {
		t.Errorf("tasks that run again: %q, warnings %q", wrong, warnings)
	}
	for _, bad := range []string{"", "[]", "{}", `{"tasks":null}`, `{"tasks":[{"task":"a"}]}`, `{"tasks":[{"state":"run"}]}`, `{"tasks":[{"task":"a","state":"Cached"}]}`} {
		if _, err := ParsePlan(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// FuzzRead checks that a task counts as run whatever it prints between its start and
// its end, and that its output does not add other tasks.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		log, _ := readCase(f, file)
		f.Add(log)
	}
	f.Add([]byte("Skipped (Cached)\nCompleted in 1s\nSkipped (Cached)\n~ Cached\nStarting...\n~ Cached"))
	f.Fuzz(func(t *testing.T, output []byte) {
		r := NewReader()
		_ = r.Read(bytes.NewReader(output)) // incomplete, mostly
		for _, task := range r.Log().Tasks {
			if task.Name == "" || len(task.Name) > maxName || task.Took < 0 {
				t.Fatalf("%+v", task)
			}
		}
		var log bytes.Buffer
		log.WriteString("[b] Skipped (Cached)\n[a] Starting...\n")
		for line := range bytes.SplitSeq(output, []byte("\n")) {
			fmt.Fprintf(&log, "[a] %s\n", line)
		}
		log.WriteString("[a] Completed in 1.0s\n1 ran, 1 cached; took 1.0s\n")
		r = NewReader()
		if err := r.Read(&log); err != nil {
			t.Fatal(err)
		}
		l := r.Log()
		if len(l.Tasks) != 2 || l.Task("a").Status != Ran || l.Task("b").Status != Skipped {
			t.Fatalf("task a printed %q, and the log has %+v", output, l.Tasks)
		}
	})
}

// TestCode checks that nothing ends a code span or its cell early. A backquote ends a
// span, a bar ends a cell, even after a backslash, and a newline ends both.
func TestCode(t *testing.T) {
	for _, s := range []string{"a", "", " ", " a ", "`", "``a`", `a|b`, `a\|b`, `a\`, "a\nb", "a\r\n| x", "\xff", "<script>", "[x](y)", "\u202e", strings.Repeat("é", 2000)} {
		got := code(s)
		inside := strings.TrimSuffix(strings.TrimPrefix(got, "`"), "`")
		if len(inside) != len(got)-2 || inside == "" || strings.ContainsAny(inside, "`|\n\r") || strings.TrimSpace(inside) != inside {
			t.Errorf("code(%q): got %q", s, got)
		}
	}
	for s, want := range map[string]string{"web:build": "`web:build`", `say "x"`: "`say \"x\"`", "a`|": "`a\\x60\\x7c`"} {
		if got := code(s); got != want {
			t.Errorf("code(%q): got %q, want %q", s, got, want)
		}
	}
}
