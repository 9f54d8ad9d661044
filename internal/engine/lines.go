package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

// A Reporter prints what happens in a run. Its methods may be called
// concurrently.
type Reporter interface {
	Waiting(*dotsame.LockedError) // for another run in the same workspace
	Started(task string) Output   // the task's output is written there until it is closed
	Completed(task string, took time.Duration)
	Failed(task string, took time.Duration, err error) // also of a task that could not be started
	Interrupted(task string, took time.Duration)       // the run was interrupted while the task ran
	RunsAgain(task string, err error)                  // comes before Started if its result can't be restored
	Cached(task string, log func(io.Writer) error)     // log writes what the task printed; nil if it is nothing
	Done(Summary)
}

// An Output receives the output of a task. Close is called before the end of the
// task is reported.
type Output io.WriteCloser

// Lines reports a run as plain lines. Each line about a task, and each line of
// its output, begins with its name in brackets:
//
//	[task] Runs again: damaged cache: restoring out: …
//	[task] Starting...
//	[task] <a line of its output>
//	[task] Completed in 1.2s
//	[task] Failed after 1.2s: exit status 2
//	[task] Interrupted after 1.2s
//	[task] Skipped (Cached)
//	[task] <a line of its output when it ran>
//	1 ran, 2 cached; took 1.2s
//
// The first of these comes only if a result is stored that can't be restored.
//
// A task may print such lines itself. The first of Starting... and Skipped (Cached)
// in a run decides whether it ran; what follows under its name, up to the line of
// counts, is its output.
type Lines struct {
	To       io.Writer
	Logs     func(task string) Logs // what is printed of a task's output; nil for FullLogs
	GitHub   bool                   // print the output of a task when it ends, folded: ::group:: of Actions
	Every    time.Duration          // on GitHub, how often to print the output of a task that goes on; 0 for a minute
	Terminal bool                   // let tasks print colours and nothing else that a terminal obeys
	Colour   bool

	mu       sync.Mutex // around everything that is written
	buffered map[string]*outputBuffer
}

// Logs is what is printed of the output of a task.
type Logs string

// The values of Logs.
const (
	FullLogs   Logs = "full"   // all of it, also of a skipped task
	NewLogs    Logs = "new"    // that of a task that runs
	FailedLogs Logs = "failed" // that of a task that fails, when it has
	NoLogs     Logs = "none"
)

var _ Reporter = (*Lines)(nil)

func (l *Lines) logs(task string) Logs {
	if l.Logs == nil {
		return FullLogs
	}
	return l.Logs(task)
}

func (l *Lines) print(task, format string, args ...any) {
	fmt.Fprintf(l.To, "[%s] %s\n", task, fmt.Sprintf(format, args...))
}

// Waiting prints which process has to end first.
func (l *Lines) Waiting(locked *dotsame.LockedError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case locked.Killed():
		fmt.Fprintf(l.To, "Waiting for tasks that a killed same run (process %d) has left running in this workspace; fuser %s lists them...\n", locked.Holder, dotsame.RunLock)
	case locked.Holder > 0:
		fmt.Fprintf(l.To, "Waiting for another same run in this workspace (process %d)...\n", locked.Holder)
	default:
		fmt.Fprintln(l.To, "Waiting for another same run in this workspace...")
	}
}

// Started prints that a task starts.
func (l *Lines) Started(task string) Output {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.print(task, "Starting...") // also on GitHub: a job that is killed shows what ran
	w := &lineWriter{prefix: prefix(task)}
	switch {
	case l.GitHub:
		w.clean = onGitHub
	case l.Terminal:
		w.clean = onTerminal
	}
	logs := l.logs(task)
	switch {
	case logs == NoLogs:
		w.to = io.Discard
	case l.GitHub || logs == FailedLogs:
		w.to = l.buffer(task, logs == FailedLogs)
	default:
		w.to, w.mu = l.To, &l.mu
	}
	return w
}

// buffer returns a buffer for the output of task. On GitHub it is printed from time to
// time, unless it is printed only if the task fails. The caller holds l.mu.
func (l *Lines) buffer(task string, failed bool) *outputBuffer {
	if l.buffered == nil {
		l.buffered = make(map[string]*outputBuffer)
	}
	every := l.Every
	if every <= 0 {
		every = time.Minute
	}
	start := time.Now()
	b := &outputBuffer{failed: failed}
	b.print = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.buffered[task] != b {
			return // it has ended
		}
		if b.timer != nil {
			b.timer.Reset(every)
		}
		if !b.empty() {
			l.flush(task, " (still running after "+message.Seconds(time.Since(start))+")", b)
			l.endGroup()
		}
	}
	if !failed {
		b.timer = time.AfterFunc(every, b.print)
	}
	l.buffered[task] = b
	return b
}

// flush prints the contents of b, on GitHub in a group that it does not end. The caller
// holds l.mu.
func (l *Lines) flush(task, about string, b *outputBuffer) {
	l.beginGroup(task + about)
	if err := b.copyTo(l.To); err != nil {
		l.print(task, "its output is lost: %v", err)
	}
}

func (l *Lines) beginGroup(title string) {
	if l.GitHub {
		fmt.Fprintf(l.To, "::group::%s\n", escapeData(title))
	}
}

func (l *Lines) endGroup() {
	if l.GitHub {
		fmt.Fprintln(l.To, "::endgroup::")
	}
}

// Completed prints that a task has succeeded.
func (l *Lines) Completed(task string, took time.Duration) {
	l.end(task, "Completed in "+message.Seconds(took), nil)
}

// Failed prints that a task has failed, and why.
func (l *Lines) Failed(task string, took time.Duration, err error) {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") { // an error may have several lines; no name in it begins a line
		lines = append(lines, message.OneLine(line))
	}
	l.end(task, "Failed after "+message.Seconds(took)+": "+strings.Join(lines, "\n["+task+"] "), err)
}

// Interrupted prints that the run was interrupted while a task ran.
func (l *Lines) Interrupted(task string, took time.Duration) {
	l.end(task, "Interrupted after "+message.Seconds(took), errInterrupted)
}

func (l *Lines) end(task, text string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buffered[task]
	if b != nil {
		delete(l.buffered, task)
		if b.timer != nil {
			b.timer.Stop()
		}
		if b.failed && err == nil {
			_ = b.copyTo(io.Discard) // which closes its file
			b = nil
		}
	}
	if b != nil {
		l.flush(task, "", b)
	}
	l.print(task, "%s", l.paint(text, err))
	if err != nil && message.Hint(err) != "" {
		l.print(task, "hint: %s", message.OneLine(message.Hint(err)))
	}
	if b != nil {
		l.endGroup()
	}
	if err != nil && l.GitHub && !errors.Is(err, errInterrupted) {
		fmt.Fprintf(l.To, "::error title=%s::%s\n", escapeProperty("task "+task), escapeData(err.Error()))
	}
}

func (l *Lines) paint(text string, err error) string {
	switch {
	case !l.Colour:
		return text
	case errors.Is(err, errInterrupted):
		return "\x1b[33m" + text + "\x1b[0m"
	case err != nil:
		return "\x1b[31m" + text + "\x1b[0m"
	}
	return "\x1b[32m" + text + "\x1b[0m"
}

// The escapes of GitHub Actions' workflow commands: of a command's text, and of
// a property (title=…), which a colon or a comma would end.
// https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
var (
	dataEscaper     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscaper = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func escapeData(s string) string     { return dataEscaper.Replace(s) }
func escapeProperty(s string) string { return propertyEscaper.Replace(s) }

// RunsAgain prints that a task would be skipped if its result could be restored.
func (l *Lines) RunsAgain(task string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what := ""
	if errors.Is(err, dotsame.ErrBadBlob) || errors.Is(err, fs.ErrNotExist) {
		what = "damaged cache: "
	}
	l.print(task, "Runs again: %s%s", what, message.OneLine(err.Error()))
}

// Cached prints that a task is skipped, and what it printed when it ran.
func (l *Lines) Cached(task string, log func(io.Writer) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.print(task, "Skipped (Cached)")
	if log == nil || l.logs(task) != FullLogs {
		return
	}
	l.beginGroup(task + " (its output when it ran)")
	w := &lineWriter{prefix: prefix(task), to: l.To, clean: plain}
	switch {
	case l.GitHub: // which shows colours
		w.clean = func(line []byte) []byte { return onGitHub(onTerminal(line)) }
	case l.Colour:
		w.clean = onTerminal
	}
	err := log(w)
	w.Close()
	if err != nil {
		l.print(task, "its output is lost: %v", message.OneLine(err.Error()))
	}
	l.endGroup()
}

// prefix returns what begins every line about a task.
func prefix(task string) string { return "[" + task + "] " }

// Shown returns a writer that makes what a task printed safe for a terminal, and removes
// its colours unless colour is true. Close writes the last line.
func Shown(to io.Writer, colour bool) io.WriteCloser {
	w := &lineWriter{to: to, clean: plain}
	if colour {
		w.clean = onTerminal
	}
	return w
}

// maxListed is the maximum number of failed tasks, and of interrupted tasks, that the
// last line names.
const maxListed = 5

// Done prints the summary.
func (l *Lines) Done(s Summary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d ran, %d cached", s.Ran, s.Cached)
	list := func(what string, tasks []string) { // their lines may be far above
		if n := len(tasks); n > 0 {
			fmt.Fprintf(&b, ", %d %s (%s", n, what, strings.Join(tasks[:min(n, maxListed)], ", "))
			if n > maxListed {
				fmt.Fprintf(&b, " and %d more", n-maxListed)
			}
			b.WriteString(")")
		}
	}
	list("failed", s.Failed)
	list("interrupted", s.Interrupted)
	if s.NotRun > 0 {
		fmt.Fprintf(&b, ", %d not run", s.NotRun)
	}
	fmt.Fprintf(&b, "; took %s", message.Seconds(s.Took))
	if s.Cached > 0 {
		fmt.Fprintf(&b, ", saved %s", message.Seconds(s.Saved))
	}
	fmt.Fprintln(l.To, b.String())
}

// maxLine is the length, in bytes, at which long lines are broken.
const maxLine = 64 << 10

// A lineWriter writes the prefix in front of every line. A carriage return
// ends a line too: a progress bar becomes lines, and cannot overwrite the name.
type lineWriter struct {
	prefix string
	to     io.Writer
	mu     *sync.Mutex         // around each line; nil if to locks itself
	clean  func([]byte) []byte // applied to each line, unless nil
	rest   []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	from := 0
	for {
		i := bytes.IndexAny(w.rest[from:], "\n\r")
		if i < 0 && len(w.rest)-from < maxLine {
			break
		}
		if i < 0 || i > maxLine {
			w.line(w.rest[from : from+maxLine])
			from += maxLine
			continue
		}
		line, next := w.rest[from:from+i], from+i+1
		if w.rest[from+i] == '\r' {
			if next == len(w.rest) {
				break // the next byte may be its \n
			}
			if w.rest[next] == '\n' {
				next++
			} else if len(line) == 0 {
				from = next
				continue
			}
		}
		w.line(line)
		from = next
	}
	w.rest = append(w.rest[:0], w.rest[from:]...)
	return len(p), nil
}

func (w *lineWriter) line(text []byte) {
	if w.clean != nil {
		text = w.clean(text)
	}
	if w.mu != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
	}
	// One call per line, so that a reader of a pipe never sees half a line.
	_, _ = w.to.Write(fmt.Appendf(nil, "%s%s\n", w.prefix, text))
}

func (w *lineWriter) Close() error {
	if rest := bytes.TrimSuffix(w.rest, []byte("\r")); len(rest) > 0 {
		w.line(rest)
	}
	w.rest = nil
	return nil
}

// onGitHub defuses "##[", which begins a command of GitHub's runner anywhere in a
// line.
func onGitHub(line []byte) []byte {
	return bytes.ReplaceAll(line, []byte("##["), []byte(`#\x23[`))
}

// onTerminal keeps colours and styles (SGR), and resets them at the end of the line.
// It removes every other escape sequence, and makes other control characters visible,
// so that none moves the cursor out of the line or over the name.
func onTerminal(line []byte) []byte { return visible(line, true) }

// plain is onTerminal without colours and styles.
func plain(line []byte) []byte { return visible(line, false) }

func visible(line []byte, styles bool) []byte {
	printable := func(c byte) bool { return c == '\t' || c >= 0x20 && c < 0x7f }
	if !bytes.ContainsFunc(line, func(r rune) bool { return r >= 0x7f || !printable(byte(r)) }) {
		return line
	}
	var out []byte
	styled := false
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		switch {
		case r == 0x1b:
			var style bool
			if n, style = escapeSequence(line); style && styles {
				styled = true
				out = append(out, line[:n]...)
			}
		case n == 1 && line[0] >= 0x80 && line[0] < 0xa0: // a control character in Latin-1
			out = fmt.Appendf(out, `\x%02x`, line[0])
		case r < 0x80 && !printable(byte(r)), r >= 0x80 && r < 0xa0:
			out = fmt.Appendf(out, `\x%02x`, r)
		default:
			out = append(out, line[:n]...)
		}
		line = line[n:]
	}
	if styled {
		out = append(out, "\x1b[0m"...)
	}
	return out
}

// escapeSequence returns the length of the escape sequence at the beginning of s, and
// whether it sets a colour or a style. If the sequence does not end, that is the
// length of its introduction, and the rest is text. The grammar is that of ECMA-48.
func escapeSequence(s []byte) (n int, style bool) {
	within := func(from int, low, high byte) int {
		for from < len(s) && s[from] >= low && s[from] <= high {
			from++
		}
		return from
	}
	if len(s) < 2 {
		return len(s), false
	}
	switch c := s[1]; {
	case c == '[':
		end := within(2, 0x30, 0x3f)
		final := within(end, 0x20, 0x2f)
		if final == len(s) || s[final] < 0x40 || s[final] > 0x7e {
			return 2, false
		}
		return final + 1, s[final] == 'm' && final == end && !bytes.ContainsAny(s[2:end], "<=>?")
	case bytes.IndexByte([]byte("]PX^_"), c) >= 0: // a string, which BEL or ESC \ ends
		for i := 2; i < len(s); i++ {
			switch {
			case s[i] == '\a':
				return i + 1, false
			case s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\':
				return i + 2, false
			}
		}
		return 2, false
	case c >= 0x20 && c <= 0x7e:
		return min(within(1, 0x20, 0x2f)+1, len(s)), false
	}
	return 1, false
}
