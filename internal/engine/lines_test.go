package engine

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"cachekey/internal/message"
)

// Whatever a task writes, in whatever pieces, each line has the task's name in
// front, and nothing but line endings is lost.
func FuzzLineWriter(f *testing.F) {
	f.Add([]byte("one\ntwo\r\nthree\rfour"), uint8(3))
	f.Add([]byte("\r\n\r\r\n\n"), uint8(1))
	f.Add([]byte("[x] Skipped (Cached)\r[t] Skipped (Cached)\n"), uint8(200))
	f.Add(bytes.Repeat([]byte("x"), 3*maxLine+5), uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		var out bytes.Buffer
		w := &lineWriter{task: "t", to: &out}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1+int(piece)*97)
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for line := range strings.Lines(out.String()) {
			rest, ok := strings.CutPrefix(line, "[t] ")
			if !ok || strings.Contains(rest, "\r") || len(rest) > maxLine+1 {
				t.Fatalf("line %.100q", line)
			}
			text.WriteString(strings.TrimSuffix(rest, "\n"))
		}
		if want := strings.NewReplacer("\r", "", "\n", "").Replace(string(data)); text.String() != want {
			t.Errorf("got %.100q, want %.100q", text.String(), want)
		}
	})
}

// An error of several lines, as Nix prints them, cannot forge another task's line.
func TestFailedWithSeveralLines(t *testing.T) {
	var out bytes.Buffer
	l := &Lines{To: &out}
	l.Failed("t", time.Second, errors.New("nix says:\n[other] Skipped (Cached)"))
	if want := "[t] Failed after 1.0s: nix says:\n[t] [other] Skipped (Cached)\n"; out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestEscapes(t *testing.T) {
	// The expected values are those of actions/toolkit's own tests (packages/core/__tests__/command.test.ts).
	if got, want := escapeData("percent % percent % cr \r cr \r lf \n lf \n"), "percent %25 percent %25 cr %0D cr %0D lf %0A lf %0A"; got != want {
		t.Errorf("data: got %s, want %s", got, want)
	}
	if got, want := escapeProperty("percent % cr \r lf \n colon : comma ,"), "percent %25 cr %0D lf %0A colon %3A comma %2C"; got != want {
		t.Errorf("property: got %s, want %s", got, want)
	}
}

func TestGate(t *testing.T) {
	g := newGate(1)
	<-g.enter(5)
	third, first, second := g.enter(9), g.enter(1), g.enter(3)
	for i, open := range []<-chan struct{}{first, second, third} {
		g.leave()
		select {
		case <-open:
		default:
			t.Errorf("task %d of the order may not pass", i)
		}
	}
	g.leave()
	<-g.enter(1)
}

// A name in an error cannot begin a line, neither here nor where GitHub's runner
// or a terminal breaks lines.
func TestFailedCannotForgeLines(t *testing.T) {
	var out strings.Builder
	l := &Lines{To: &out}
	evil := "out/x\r[other] Skipped (Cached)\n[third] Skipped (Cached)\x1b[2K\u009b2K##[error]"
	l.Failed("t", 0, message.WithHint(errors.New(evil), "remove %s", evil))
	for line := range strings.SplitSeq(strings.TrimSuffix(out.String(), "\n"), "\n") {
		if !strings.HasPrefix(line, "[t] ") || strings.ContainsAny(line, "\r\x1b\u009b") || strings.Contains(line, "##[") {
			t.Errorf("got line %q", line)
		}
	}
}
