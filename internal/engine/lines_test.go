package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// FuzzLineWriter checks that every line of a task's output begins with the name of
// the task, however the output is split, and that only line endings are lost.
func FuzzLineWriter(f *testing.F) {
	f.Add([]byte("one\ntwo\r\nthree\rfour"), uint8(3))
	f.Add([]byte("\r\n\r\r\n\n"), uint8(1))
	f.Add([]byte("[x] Skipped (Cached)\r[t] Skipped (Cached)\n"), uint8(200))
	f.Add(bytes.Repeat([]byte("x"), 3*maxLine+5), uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		var out bytes.Buffer
		w := &lineWriter{prefix: "[t] ", to: &out}
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

// TestFailedWithSeveralLines checks that an error of several lines, as from Nix, cannot
// forge the line of another task.
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

// TestFailedCannotForgeLines checks that a name in an error cannot begin a line, neither
// here nor where GitHub's runner or a terminal breaks lines.
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

// TestOnTerminal checks that a task may set colours until the end of the line, and
// that no escape sequence moves the cursor out of its line.
func TestOnTerminal(t *testing.T) {
	for line, want := range map[string]string{
		"plain\ttext é":                      "plain\ttext é",
		"\x1b[31mred":                        "\x1b[31mred\x1b[0m",
		"\x1b[1;38:5:9mx\x1b[mx":             "\x1b[1;38:5:9mx\x1b[mx\x1b[0m",
		"\x1b[1G\x1b[2K[build] Skipped":      "[build] Skipped",
		"\x1b[2J\x1b[H\x1b[?25l\x1b[>4;2mx":  "x",
		"\x1b]0;title\ax\x1b]8;;u\x1b\\link": "xlink",
		"\x1bP1$r\x1b\\x\x1b_a\ay":           "xy",
		"\x1b]0;no end":                      "0;no end",
		"\x1b[31":                            "31",
		"x\x1b":                              "x",
		"\x1bc\x1b7\x1bM\x1b(0x":             "x",
		"a\b\b\v\f\a\x7f":                    `a\x08\x08\x0b\x0c\x07\x7f`,
		"\u009b2K\u0085x":                    `\x9b2K\x85x`,
		"\x9b2K \xe9":                        `\x9b2K ` + "\xe9",
	} {
		if got := string(onTerminal([]byte(line))); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func FuzzOnTerminal(f *testing.F) {
	f.Add([]byte("\x1b\x1b[31m[1A\x1b]\x1b[2J\a"))
	sgr := regexp.MustCompile(`\x1b\[[0-9;:]*m`)
	f.Fuzz(func(t *testing.T, line []byte) {
		got := onTerminal(line)
		rest := sgr.ReplaceAll(got, nil)
		if bytes.ContainsFunc(rest, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
			t.Errorf("%q: got %q", line, got)
		}
		if len(rest) < len(got) && !bytes.HasSuffix(got, []byte("\x1b[0m")) {
			t.Errorf("%q: got %q, want a reset at the end", line, got)
		}
	})
}

// TestPartialOutputOnGitHub checks that the output of a long task is printed while it
// runs, each line once.
func TestPartialOutputOnGitHub(t *testing.T) {
	var out lockedBuffer
	l := &Lines{To: &out, GitHub: true, Every: time.Millisecond}
	w := l.Started("t")
	if got, want := out.String(), "[t] Starting...\n"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if _, err := w.Write([]byte("one\n")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !strings.HasSuffix(out.String(), "[t] one\n::endgroup::\n"); {
		if time.Now().After(deadline) {
			t.Fatalf("got %q, want the first line in a group", out.String())
		}
		time.Sleep(time.Millisecond)
	}
	if !strings.Contains(out.String(), "::group::t (still running after 0.") {
		t.Errorf("got %q, want a group that says that the task is running", out.String())
	}
	if _, err := w.Write([]byte("two\n")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	l.Completed("t", time.Second)
	if got := out.String(); strings.Count(got, "[t] one\n") != 1 || strings.Count(got, "[t] two\n") != 1 || !strings.HasSuffix(got, "[t] Completed in 1.0s\n::endgroup::\n") {
		t.Errorf("got %q", got)
	}
}

// TestLargeOutputOnGitHub checks that no output of a task is lost, whether or not it can
// be kept in a file until the task ends.
func TestLargeOutputOnGitHub(t *testing.T) {
	for name, dir := range map[string]string{"kept": t.TempDir(), "no TMPDIR": filepath.Join(t.TempDir(), "none")} {
		t.Setenv("TMPDIR", dir)
		var out lockedBuffer
		l := &Lines{To: &out, GitHub: true}
		w := l.Started("t")
		var want strings.Builder
		for i := range 3 * maxBuffered / len("[t] 0000000\n") {
			line := fmt.Sprintf("%07d\n", i)
			fmt.Fprintf(&want, "[t] %s", line)
			if _, err := w.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		l.Completed("t", time.Second)
		var got strings.Builder
		groups := 0
		for line := range strings.Lines(out.String()) {
			switch {
			case strings.HasPrefix(line, "::group::t"):
				groups++
			case line == "::endgroup::\n":
				groups--
			case line != "[t] Starting...\n" && line != "[t] Completed in 1.0s\n":
				got.WriteString(line)
			}
			if groups < 0 || groups > 1 {
				t.Fatalf("%s: %d groups are open at %q", name, groups, line)
			}
		}
		if got.String() != want.String() {
			t.Errorf("%s: got %d bytes, want %d; the end is %q", name, got.Len(), want.Len(), got.String()[max(0, got.Len()-200):])
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.String()
}

// TestColours checks the colour of each end of a task. An interrupted one has not
// succeeded, and has not failed: it is not an annotation on GitHub.
func TestColours(t *testing.T) {
	var b strings.Builder
	l := &Lines{To: &b, Colour: true, GitHub: true}
	l.Completed("a", 0)
	l.Failed("b", 0, errors.New("exit status 1"))
	l.Interrupted("c", 0)
	want := "[a] \x1b[32mCompleted in 0.0s\x1b[0m\n[b] \x1b[31mFailed after 0.0s: exit status 1\x1b[0m\n::error title=task b::exit status 1\n[c] \x1b[33mInterrupted after 0.0s\x1b[0m\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// A completion is a Reporter that keeps how long a task took.
type completion struct {
	*Lines
	took time.Duration
}

func (c *completion) Completed(_ string, took time.Duration) { c.took = took }

// TestCompletedIncludesStoring checks that the time of a completed task includes that of
// storing its outputs. The duration in the build info does not.
func TestCompletedIncludesStoring(t *testing.T) {
	root := t.TempDir()
	text := `{"version": "1", "tasks": {"t": {"input": [], "target": ["out"], "cmd": ["sh", "-c", "head -c 50000000 /dev/urandom >out"]}}}`
	if err := os.WriteFile(filepath.Join(root, "same.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ws, err := manifest.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	report := &completion{Lines: &Lines{To: io.Discard}}
	c := Config{Workspace: ws, LookupEnv: os.LookupEnv, Report: report, Warnf: t.Errorf}
	if _, err := c.Run(t.Context(), ws.Tasks); err != nil {
		t.Fatal(err)
	}
	info, err := dotsame.Open(root).ReadBuildInfo("t")
	if err != nil || info == nil {
		t.Fatal(info, err)
	}
	if storing := report.took - info.Duration(); storing < 3*time.Millisecond {
		t.Errorf("completed in %v, of which storing took %v", report.took, storing)
	}
}
