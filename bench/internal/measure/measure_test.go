package measure

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Launched()
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	sample, err := Run(Command{Args: []string{"sh", "-c", "echo $WORD; sleep 0.05"}, Env: []string{"WORD=hello", "PATH=" + os.Getenv("PATH")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(sample.Out); got != "hello\n" {
		t.Errorf("stdout is %q", got)
	}
	if sample.Wall < 50*time.Millisecond || sample.Peak < 100<<10 {
		t.Errorf("a sleep of 50 ms took %v and %d bytes", sample.Wall, sample.Peak)
	}
	_, err = Run(Command{Args: []string{"sh", "-c", "echo no such thing >&2; exit 3"}, Env: []string{"PATH=" + os.Getenv("PATH")}})
	if err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("the error %v does not have the output of the program", err)
	}
}

// TestRounds: a warm-up comes first and does not count; limited rows have none.
func TestRounds(t *testing.T) {
	ran := map[string]int{}
	row := func(name string, most int) Row {
		return Row{Name: name, Most: most, Command: Command{Args: []string{"true"}, Env: []string{"PATH=" + os.Getenv("PATH")}}, Before: func() error { ran[name]++; return nil }}
	}
	results, err := Rounds([]Row{row("all", 0), row("once", 1)}, 3, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if ran["all"] != 4 || len(results[0].Samples) != 3 {
		t.Errorf("ran %d times and counted %d, want 4 and 3", ran["all"], len(results[0].Samples))
	}
	if ran["once"] != 1 || len(results[1].Samples) != 1 {
		t.Errorf("the limited row ran %d times and counted %d, want once", ran["once"], len(results[1].Samples))
	}
}

func TestResult(t *testing.T) {
	r := Result{Samples: []Sample{
		{Wall: 5, CPU: 1, Peak: 10}, {Wall: 1, CPU: 3, Peak: 30}, {Wall: 2, CPU: 9, Peak: 20}, {Wall: 4, CPU: 2, Peak: 5},
	}}
	if median, least, most := r.Wall(); median != 3 || least != 1 || most != 5 {
		t.Errorf("wall is %d (%d to %d), want 3 (1 to 5)", median, least, most)
	}
	if cpu := r.CPU(); cpu != 2 {
		t.Errorf("CPU time is %d, want 2", cpu)
	}
	if peak := r.Peak(); peak != 30 {
		t.Errorf("peak is %d, want 30", peak)
	}
}

func TestOnAllCores(t *testing.T) {
	var names []string
	for i := range 1000 {
		names = append(names, strconv.Itoa(i))
	}
	var seen sync.Map
	var count atomic.Int64
	worker := func() func(string) error {
		return func(name string) error {
			count.Add(1)
			seen.Store(name, true)
			if name == "none" {
				return errors.New(name)
			}
			return nil
		}
	}
	if err := OnAllCores(names, worker); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, ok := seen.Load(name); !ok {
			t.Errorf("%s was left out", name)
		}
	}
	if count.Load() != 1000 {
		t.Errorf("worked %d times on 1000 names", count.Load())
	}
	if err := OnAllCores(append(names, "none"), worker); err == nil || err.Error() != "none" {
		t.Errorf("got %v, want the error of the one that fails", err)
	}
}
