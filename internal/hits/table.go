package hits

import (
	"cachekey/internal/message"
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes l for people: a line for each task and one that sums up.
func (l *Log) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, task := range l.Tasks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", task.Status, took(task), message.Name(task.Name))
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
		s += ", saved " + message.Seconds(saved)
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
		return "saved " + message.Seconds(t.Saved)
	case t.Took > 0:
		return message.Seconds(t.Took)
	default:
		return ""
	}
}
