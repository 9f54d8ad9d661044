package cli

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestScreen checks that output erases the status line, and that the next status
// does not break an unfinished line.
func TestScreen(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{terminal: write, width: func() int { return 10 }}
	out := &screenWriter{write, s}
	s.draw("one")
	s.draw("a longer one")
	s.draw("a longer one")
	out.Write([]byte("a line\n"))
	s.draw("two")
	out.Write([]byte("half "))
	s.draw("never seen")
	out.Write([]byte("a line\n"))
	s.draw("three")
	s.status(func(time.Duration) string { return "" })() // over before it was seen
	write.Close()
	var got strings.Builder
	if _, err := read.WriteTo(&got); err != nil {
		t.Fatal(err)
	}
	const erase = "\r\x1b[K"
	want := "one" + erase + "a longer…" + erase + "a line\n" + "two" + erase + "half " + "a line\n" + "three" + erase
	if got.String() != want {
		t.Errorf("got\n%q, want\n%q", got.String(), want)
	}
}
