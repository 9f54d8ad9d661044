package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"cachekey/internal/message"
)

const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	reset  = "\x1b[0m"
)

// IO holds the standard streams of a command, its environment and the flags that
// every command has.
type IO struct {
	Program string // its name, which begins every line on Err
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Getenv  func(string) string
	Kill    <-chan struct{} // closed at the second interrupt, which kills running tasks
	Dir     string          // -C: the directory to work in
	Quiet   bool            // -q: print errors only
}

// Path returns the path arg, which is relative to the directory of -C.
func (o *IO) Path(arg string) string {
	if filepath.IsAbs(arg) {
		return arg
	}
	return filepath.Join(o.Dir, arg)
}

// Open opens the file that an argument names; "-" is standard input.
func (o *IO) Open(arg string) (io.ReadCloser, error) {
	if arg == "-" {
		return io.NopCloser(o.In), nil
	}
	return os.Open(o.Path(arg))
}

// PrintJSON prints v as indented JSON on stdout.
func (o *IO) PrintJSON(v any) error { return WriteJSON(o.Out, v) }

// WriteJSON writes v as indented JSON.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Warnf prints a warning about something that does not stop the command.
func (o *IO) Warnf(format string, args ...any) {
	if !o.Quiet {
		o.line("warning", yellow, fmt.Sprintf(format, args...))
	}
}

// Infof prints a message about what the command has done.
func (o *IO) Infof(format string, args ...any) {
	if !o.Quiet {
		o.info(fmt.Sprintf(format, args...))
	}
}

func (o *IO) info(text string) { fmt.Fprintf(o.Err, "%s: %s\n", o.Program, message.OneLine(text)) }

// line prints one message, each of its lines after the name of the program: a text
// with newlines, such as an error of git, cannot look like a message of another
// program, or like a command of GitHub's runner.
func (o *IO) line(kind, colour, text string) {
	head := kind + ":"
	if o.Colour(o.Err) {
		head = colour + head + reset
	}
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		fmt.Fprintf(&b, "%s: %s %s\n", o.Program, head, message.OneLine(strings.ReplaceAll(line, "\t", "    ")))
		head = strings.Repeat(" ", len(kind)+1)
	}
	_, _ = io.WriteString(o.Err, b.String())
}

// Terminal reports whether w is a terminal.
func Terminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// Colour reports whether to use colours on w: a terminal, unless NO_COLOR is set
// and not empty (https://no-color.org) or TERM is "dumb".
func (o *IO) Colour(w io.Writer) bool {
	return Terminal(w) && o.Getenv("NO_COLOR") == "" && o.Getenv("TERM") != "dumb"
}

const (
	statusAfter = time.Second            // when a status appears
	statusEvery = 100 * time.Millisecond // how often it is drawn again
)

// Status shows on a terminal that work is going on: from one second after the
// call until stop is called, text is the line below everything that the program
// prints. It is called by another goroutine with the time since the call of
// Status. Without a terminal, or with Quiet, nothing is shown.
func (o *IO) Status(text func(since time.Duration) string) (stop func()) {
	err, ok := o.Err.(*screenWriter)
	if !ok || o.Quiet || o.Getenv("TERM") == "dumb" {
		return func() {}
	}
	return err.screen.status(func(since time.Duration) string { return o.Program + ": " + message.OneLine(text(since)) })
}

// A screen is a terminal with a status line below what is printed. Everything
// that is printed on it must go through it.
type screen struct {
	terminal io.Writer
	width    func() int // columns

	mu      sync.Mutex
	drawn   string // the status line on the terminal now, or ""
	midLine bool   // the last output did not end its line, so a status would break it
}

// share makes o's output and status share a screen, if stderr is a terminal.
func (o *IO) share(out file, err *os.File) {
	if !Terminal(err) {
		return
	}
	s := &screen{terminal: err, width: func() int {
		width, _, _ := term.GetSize(int(err.Fd()))
		return width
	}}
	o.Out, o.Err = &screenWriter{out, s}, &screenWriter{err, s}
}

// eraseStatus erases the status line when the program ends without stopping it.
func (o *IO) eraseStatus() {
	if err, ok := o.Err.(*screenWriter); ok {
		err.screen.mu.Lock() // and nothing is drawn again
		err.screen.erase()
	}
}

func (s *screen) status(text func(time.Duration) string) (stop func()) {
	start, end, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for wait := statusAfter; ; wait = statusEvery {
			select {
			case <-time.After(wait):
				s.draw(text(time.Since(start)))
			case <-end:
				s.mu.Lock()
				s.erase()
				s.mu.Unlock()
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(end); <-ended })
}

func (s *screen) draw(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A line as wide as the terminal would wrap and could not be erased.
	if room := s.width() - 1; room > 0 && utf8.RuneCountInString(text) > room {
		text = string([]rune(text)[:room-1]) + "…"
	}
	if s.midLine || text == s.drawn {
		return
	}
	s.erase()
	_, _ = io.WriteString(s.terminal, text)
	s.drawn = text
}

func (s *screen) erase() {
	if s.drawn != "" {
		_, _ = io.WriteString(s.terminal, "\r\x1b[K")
		s.drawn = ""
	}
}

// A file is a stream of the process.
type file interface {
	io.Writer
	Fd() uintptr
}

// A screenWriter writes to stdout or stderr above a screen's status line.
type screenWriter struct {
	file   file
	screen *screen
}

// Fd returns the file's descriptor, for Terminal.
func (w *screenWriter) Fd() uintptr { return w.file.Fd() }

func (w *screenWriter) Write(p []byte) (int, error) {
	w.screen.mu.Lock()
	defer w.screen.mu.Unlock()
	w.screen.erase()
	if len(p) > 0 {
		w.screen.midLine = p[len(p)-1] != '\n'
	}
	return w.file.Write(p)
}
