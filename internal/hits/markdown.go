package hits

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"cachekey/internal/key"
	"cachekey/internal/message"
	"cachekey/internal/seal"
)

// How much a job summary shows: GitHub takes 1 MiB of it per step.
const (
	maxRows  = 500
	maxFiles = 50
)

// A Report is what a job summary tells.
type Report struct {
	Log      *Log
	Wrong    []string      // what is not as required
	Restored *seal.Verdict // what verify found; nil if it never ran
	Now      *key.Document // this checkout's key; nil if it is not known
}

// WriteMarkdown writes r as a GitHub job summary. Names stand in code spans, in
// which nothing is markup, and what could end a span or a table's cell is escaped.
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

// restored tells what came out of the cache and, if it was not saved under this
// very key, what has changed since.
func (r *Report) restored(b *strings.Builder) {
	v := r.Restored
	switch {
	case v == nil, v.Reason == "" && v.Key == nil:
		b.WriteString("Nothing was restored.\n")
		return
	case v.Reason != "":
		fmt.Fprintf(b, "What was restored was dropped: %s\n", code(v.Reason))
		return
	}
	if v.Flawed() {
		fmt.Fprintf(b, "Of what was restored %d entries were not as sealed and were removed, %d were missing.\n\n", v.Removed, v.Missing)
	}
	if r.Now == nil {
		fmt.Fprintf(b, "Restored from %s.\n", code(v.Key.Key))
		return
	}
	d := key.Compare(v.Key, r.Now)
	if d.Same {
		fmt.Fprintf(b, "Restored from this very key, %s.\n", code(v.Key.Key))
		return
	}
	fmt.Fprintf(b, "Restored from another key, %s. Since then:\n\n", code(v.Key.Key))
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
			fmt.Fprintf(b, "  - %s %s\n", code(f.Path), f.Change)
		}
	}
}

// code makes a code span of s. Quoting takes care of what does not print, such as
// newlines; backquotes and bars become escapes of Go's, since a span, and a cell
// around it, know none of their own. A backslash is doubled, so nothing is ambiguous.
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
