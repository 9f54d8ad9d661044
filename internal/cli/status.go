package cli

import (
	"cachekey/internal/message"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// When a status appears, and how often it is drawn anew.
const (
	statusAfter = time.Second
	statusEvery = 100 * time.Millisecond
)

// Status shows people that work is going on: on a terminal, one second from now
// and until stop is called, text is drawn as a line below all else that the
// program prints. text is given the time since the call of Status; it is called
// by another goroutine. Elsewhere, and with Quiet, nothing is shown.
func (o *IO) Status(text func(since time.Duration) string) (stop func()) {
	err, ok := o.Err.(*screenWriter)
	if !ok || o.Quiet || o.Getenv("TERM") == "dumb" {
		return func() {}
	}
	return err.screen.status(func(since time.Duration) string { return o.Program + ": " + message.OneLine(text(since)) })
}

// A screen is a terminal that has a status below what is printed. Everything
// that is printed must go through it.
type screen struct {
	terminal io.Writer
	width    func() int // columns

	mu      sync.Mutex
	drawn   string // the status that is to be seen, if there is one
	midLine bool   // whether what was printed last ends within a line, which a status would tear
}

// share puts a status below o's output, if a person looks at it.
func (o *IO) share(out, err *os.File) {
	if !Terminal(err) {
		return
	}
	s := &screen{terminal: err, width: func() int {
		width, _, _ := term.GetSize(int(err.Fd()))
		return width
	}}
	o.Out, o.Err = &screenWriter{out, s}, &screenWriter{err, s}
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
	// A line that fills the width would wrap, and then can't be erased.
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

// A screenWriter is stdout or stderr beside a screen's status.
type screenWriter struct {
	file   *os.File
	screen *screen
}

// Fd is the file's, for Terminal.
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
