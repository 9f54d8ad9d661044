package session

import (
	"os"
	"strings"
	"testing"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/report"
)

func TestMain(m *testing.M) {
	measure.Launched()
	os.Exit(m.Run())
}

// Only a complete run may write docs/benchmarks.md.
func TestWriteNeedsCompleteRun(t *testing.T) {
	for _, args := range [][]string{{"--write", "--quick"}, {"--write", "--tree=15k"}} {
		s := &Session{name: "bench/test"}
		err := s.main(append(args, "--dir", t.TempDir()), "tree", 3, func(*Session) error { t.Error("it ran"); return nil })
		if err == nil || !strings.Contains(err.Error(), "a complete run") {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestSession(t *testing.T) {
	rows := []measure.Row{{Name: "row", Command: measure.Command{Args: []string{"true"}, Env: []string{"PATH=" + os.Getenv("PATH")}}}}
	s := &Session{name: "bench/test"}
	err := s.main([]string{"--quick", "--dir", t.TempDir()}, "", 3, func(s *Session) error {
		if !s.Wants("any") || s.Whole() {
			t.Error("a quick run must want every part and must not be whole")
		}
		results, err := s.Measure(rows, func(results []measure.Result) string { return report.Table(results, "") })
		if err == nil && len(results[0].Samples) != 1 {
			t.Errorf("a quick run has %d rounds", len(results[0].Samples))
		}
		s.Targets([]report.Target{{Text: "met", Got: 1, Limit: 2}, {Text: "missed", Got: 3, Limit: 2}})
		return err
	})
	if err == nil || err.Error() != "1 targets missed" {
		t.Errorf("got %v, want the target that was missed", err)
	}
	for _, want := range []string{"| row |", "| missed |"} {
		if !strings.Contains(s.page.String(), want) {
			t.Errorf("no %q in\n%s", want, &s.page)
		}
	}
	one := &Session{only: "15k"}
	if one.Wants("100k") || !one.Wants("15k") || one.Whole() {
		t.Error("--tree=15k measures other parts too")
	}
}
