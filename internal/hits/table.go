package hits

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
)

// WriteTable writes l for people: a line for each task and one that sums up.
func (l *Log) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, task := range l.Tasks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", task.Status, took(task), name(task.Name))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, l.Summary())
	return err
}

// Summary is one line: "3 of 4 tasks skipped (75%), 1 ran, saved 12.4s".
func (l *Log) Summary() string {
	s := fmt.Sprintf("%d of %d tasks skipped (%d%%)", l.Count(Skipped), len(l.Tasks), l.Percent())
	if n := l.Count(Ran); n > 0 {
		s += fmt.Sprintf(", %d ran", n)
	}
	if n := l.Count(Failed, Unfinished); n > 0 {
		s += fmt.Sprintf(", %d failed", n)
	}
	if saved := l.Saved(); saved > 0 {
		s += ", saved " + seconds(saved)
	}
	return s
}

// Percent is the hit rate, rounded down: 100 only if every task was skipped.
func (l *Log) Percent() int {
	if len(l.Tasks) == 0 {
		return 0
	}
	return l.Count(Skipped) * 100 / len(l.Tasks)
}

func took(t Task) string {
	switch {
	case t.Status == Skipped && t.Saved > 0:
		return "saved " + seconds(t.Saved)
	case t.Took > 0:
		return seconds(t.Took)
	default:
		return ""
	}
}

// name quotes a task's name if a line could not hold it as it is.
func name(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// seconds writes a time as the runner does: 0.4s, 3m05s, 1h02m.
func seconds(d time.Duration) string {
	switch {
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour-time.Second/2:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}
