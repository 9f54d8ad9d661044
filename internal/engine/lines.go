package engine

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

// Lines reports a run as plain lines. All that is said of a task, and all that
// the task says, begins with its name in brackets:
//
//	[task] Starting...
//	[task] <a line of its output>
//	[task] Completed in 1.2s
//	[task] Failed after 1.2s: exit status 2
//	[task] Skipped (Cached)
//
// A task that prints such words itself has printed them after its Starting
// line; a skipped task has none.
type Lines struct {
	To     io.Writer
	GitHub bool // hold a task's lines back until it ends and fold them: Actions' ::group::
	Colour bool

	mu   sync.Mutex // around everything that is written
	held map[string]*holding
}

var _ Reporter = (*Lines)(nil)

func (l *Lines) say(task, format string, args ...any) {
	fmt.Fprintf(l.To, "[%s] %s\n", task, fmt.Sprintf(format, args...))
}

// Waiting prints which process has to end first.
func (l *Lines) Waiting(locked *dotsame.LockedError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case locked.Killed():
		fmt.Fprintf(l.To, "Waiting for what a killed same run (process %d) has left running in this workspace; fuser %s names it...\n", locked.Holder, dotsame.RunLock)
	case locked.Holder > 0:
		fmt.Fprintf(l.To, "Waiting for another same run in this workspace (process %d)...\n", locked.Holder)
	default:
		fmt.Fprintln(l.To, "Waiting for another same run in this workspace...")
	}
}

// Started says that a task begins.
func (l *Lines) Started(task string) Output {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.GitHub {
		h := &holding{}
		if l.held == nil {
			l.held = make(map[string]*holding)
		}
		l.held[task] = h
		fmt.Fprintf(h, "[%s] Starting...\n", task)
		return &lineWriter{task: task, to: h}
	}
	l.say(task, "Starting...")
	return &lineWriter{task: task, to: l.To, mu: &l.mu}
}

// Completed says that a task has succeeded.
func (l *Lines) Completed(task string, took time.Duration) {
	l.end(task, "Completed in "+message.Seconds(took), nil)
}

// Failed says that a task has not, and why.
func (l *Lines) Failed(task string, took time.Duration, err error) {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") { // an error may be several; a name in it forges no line
		lines = append(lines, message.OneLine(line))
	}
	l.end(task, "Failed after "+message.Seconds(took)+": "+strings.Join(lines, "\n["+task+"] "), err)
}

func (l *Lines) end(task, text string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[task]
	if h != nil {
		delete(l.held, task)
		fmt.Fprintf(l.To, "::group::%s\n", escapeData(task))
		if err := h.copyTo(l.To); err != nil {
			l.say(task, "its output is lost: %v", err)
		}
	}
	l.say(task, "%s", l.paint(text, err))
	if err != nil && message.Hint(err) != "" {
		l.say(task, "hint: %s", message.OneLine(message.Hint(err)))
	}
	if h != nil {
		fmt.Fprintln(l.To, "::endgroup::")
	}
	if err != nil && l.GitHub {
		fmt.Fprintf(l.To, "::error title=%s::%s\n", escapeProperty("task "+task), escapeData(err.Error()))
	}
}

// Cached says that a task was skipped.
func (l *Lines) Cached(task string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say(task, "Skipped (Cached)")
}

// maxFailed is how many failed tasks the last line names.
const maxFailed = 5

// Done says what came of it all.
func (l *Lines) Done(s Summary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d ran, %d cached", s.Ran, s.Cached)
	if n := len(s.Failed); n > 0 {
		// Their own lines can be far above.
		fmt.Fprintf(&b, ", %d failed (%s", n, strings.Join(s.Failed[:min(n, maxFailed)], ", "))
		if n > maxFailed {
			fmt.Fprintf(&b, " and %d more", n-maxFailed)
		}
		b.WriteString(")")
	}
	if s.NotRun > 0 {
		fmt.Fprintf(&b, ", %d not run", s.NotRun)
	}
	fmt.Fprintf(&b, "; took %s", message.Seconds(s.Took))
	if s.Cached > 0 {
		fmt.Fprintf(&b, ", saved %s", message.Seconds(s.Saved))
	}
	fmt.Fprintln(l.To, b.String())
}

func (l *Lines) paint(text string, err error) string {
	switch {
	case !l.Colour:
		return text
	case err != nil:
		return "\x1b[31m" + text + "\x1b[0m"
	}
	return "\x1b[32m" + text + "\x1b[0m"
}

// maxLine is where a line without an end is cut, in bytes.
const maxLine = 64 << 10

// A lineWriter puts the task's name in front of every line. A carriage return
// ends a line too: a progress bar becomes lines, and nothing can write over the
// name in front of it.
type lineWriter struct {
	task string
	to   io.Writer
	mu   *sync.Mutex // around a whole line; nil if to is the task's own
	rest []byte
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
				break // whether it is \r\n, the next bytes say
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
	if w.mu != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
	}
	// One call a line, so that a pipe's reader sees no half of one.
	_, _ = w.to.Write(fmt.Appendf(nil, "[%s] %s\n", w.task, text))
}

func (w *lineWriter) Close() error {
	if rest := bytes.TrimSuffix(w.rest, []byte("\r")); len(rest) > 0 {
		w.line(rest)
	}
	w.rest = nil
	return nil
}
