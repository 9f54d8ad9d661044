package hits

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"cachekey/internal/key"
	"cachekey/internal/message"
	"cachekey/internal/seal"
)

// Limits of a job summary, of which GitHub shows 1 MiB per step.
const (
	maxRows  = 500
	maxFiles = 50
)

// A Report is the content of a job summary.
type Report struct {
	Log      *Log
	Wrong    []string      // how the log differs from the requirement or plan
	Restored *seal.Verdict // the result of verify; nil if it has not run
	Now      *key.Document // this checkout's key; nil if unknown
}

// WriteMarkdown writes r as a GitHub job summary. Names are in code spans, which have
// no markup, and characters that end a span or a table's cell are escaped.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### same: %s\n\n", r.Log.Summary())
	for i, wrong := range r.Wrong {
		if i == maxRows {
			fmt.Fprintf(&b, "- … and %d more\n", len(r.Wrong)-i)
			break
		}
		fmt.Fprintf(&b, "- ❌ %s\n", code(wrong))
	}
	if len(r.Wrong) > 0 {
		b.WriteString("\n")
	}
	b.WriteString("| task | result | took | saved |\n| --- | --- | ---: | ---: |\n")
	for i, t := range r.Log.Slowest() {
		if i == maxRows {
			fmt.Fprintf(&b, "\n… and %d more tasks\n", len(r.Log.Tasks)-i)
			break
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(t.Name), t.Status, known(t.Took > 0, message.Seconds(t.Took)), known(t.Saved > 0, message.Seconds(t.Saved)))
	}
	b.WriteString("\n")
	r.restored(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func known(ok bool, s string) string {
	if ok {
		return s
	}
	return ""
}

// restored writes what was restored from the cache and, if its key is not that of
// this checkout, what has changed since.
func (r *Report) restored(b *strings.Builder) {
	v := r.Restored
	switch {
	case v == nil, v.Reason == "" && v.Key == nil:
		b.WriteString("Nothing was restored.\n")
		return
	case v.Reason != "":
		fmt.Fprintf(b, "The restored cache was dropped: %s\n", code(v.Reason))
		return
	}
	if v.Flawed() {
		fmt.Fprintf(b, "Of the restored files, %d differed from the seal and were removed, %d were missing.\n\n", v.Removed, v.Missing)
	}
	if r.Now == nil {
		fmt.Fprintf(b, "Restored from %s.\n", code(v.Key.Key))
		return
	}
	d := key.Compare(v.Key, r.Now)
	if d.Same {
		fmt.Fprintf(b, "Restored from exactly this key, %s.\n", code(v.Key.Key))
		return
	}
	fmt.Fprintf(b, "Restored from another key, %s. Changes since then:\n\n", code(v.Key.Key))
	for _, s := range d.Settings {
		fmt.Fprintf(b, "- %s changed from %s to %s\n", code(s.Name), code(s.Old), code(s.New))
	}
	for _, in := range d.Ingredients {
		if !in.Changed {
			continue
		}
		fmt.Fprintf(b, "- **%s** changed\n", in.Name)
		for i, f := range in.Files {
			if i == maxFiles {
				fmt.Fprintf(b, "  - … and %d more files\n", len(in.Files)-i)
				break
			}
			fmt.Fprintf(b, "  - %s %s\n", code(string(f.Path)), f.Change)
		}
	}
}

// code returns a code span of s. It quotes unprintable characters, such as newlines,
// and writes backquotes and bars as Go escapes, since Markdown has none for them in
// spans and cells. A backslash is doubled, so the result is unambiguous.
func code(s string) string {
	const most = 1000 // bytes: a summary is for reading
	if len(s) > most {
		s = s[:most] + "…"
	}
	q := strconv.Quote(s)
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	q = strings.NewReplacer("`", `\x60`, "|", `\x7c`).Replace(q)
	if q == "" || q[0] == ' ' || q[len(q)-1] == ' ' {
		q = `"` + q + `"`
	}
	return "`" + q + "`"
}

// WriteTable writes a line for each task, and the summary.
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

// Summary returns one line: "3 of 4 tasks skipped (75%), 1 ran, saved 12.4s".
func (l *Log) Summary() string {
	s := fmt.Sprintf("%d of %d tasks skipped (%d%%)", l.Count(Skipped), len(l.Tasks), l.Percent())
	if n := l.Count(Ran); n > 0 {
		s += fmt.Sprintf(", %d ran", n)
	}
	if n := l.Count(Failed, Unfinished); n > 0 {
		s += fmt.Sprintf(", %d failed", n)
	}
	if n := l.Count(Interrupted); n > 0 {
		s += fmt.Sprintf(", %d interrupted", n)
	}
	if saved := l.Saved(); saved > 0 {
		s += ", saved " + message.Seconds(saved)
	}
	return s
}

// Percent returns the percentage of tasks that were skipped, rounded down: 100 only
// if every task was.
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

// Schema is the version of the format of JSON.
const Schema = "v1"

// A Document is a Report for scripts.
type Document struct {
	Schema  string         `json:"schema"`
	Tasks   []TaskDocument `json:"tasks"`
	Skipped int            `json:"skipped"`
	Ran     int            `json:"ran"`
	Failed  int            `json:"failed"`  // including those that did not finish
	Percent int            `json:"percent"` // of the tasks that were skipped, rounded down
	SavedMS int64          `json:"saved_ms"`
	Wrong   []string       `json:"wrong"` // how the log differs from the requirement or plan
}

// A TaskDocument is a task in a Document.
type TaskDocument struct {
	Task    string `json:"task"`
	Status  Status `json:"status"`
	TookMS  int64  `json:"took_ms"`
	SavedMS int64  `json:"saved_ms"`
}

// JSON returns r for scripts.
func (r *Report) JSON() Document {
	l := r.Log
	d := Document{Schema: Schema, Tasks: []TaskDocument{}, Skipped: l.Count(Skipped), Ran: l.Count(Ran),
		Failed: l.Count(Failed, Interrupted, Unfinished), Percent: l.Percent(), SavedMS: l.Saved().Milliseconds(), Wrong: []string{}}
	d.Wrong = append(d.Wrong, r.Wrong...)
	for _, t := range l.Tasks {
		d.Tasks = append(d.Tasks, TaskDocument{t.Name, t.Status, t.Took.Milliseconds(), t.Saved.Milliseconds()})
	}
	return d
}
