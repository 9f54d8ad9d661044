package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLive checks the status line on a terminal. It is erased at the end, and never
// shown with --ci or if the output is not a terminal.
func TestLive(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  quick: {cmd: [printf, '\033[1G\033[2K\033[31mhello\n']}
  slow:  {cmd: [sh, -c, 'echo >begun; until [ -e go ]; do sleep 0.05; done; echo bye'], dependsOn: [quick]}
`)
	const status = "same: 1 of 2 tasks done; running: slow 1s"
	for name, c := range map[string]struct {
		args      []string
		elsewhere bool // stdout is not a terminal
		want      bool
	}{
		"terminal": {args: []string{"run", "-n", "all"}, want: true},
		"ci":       {args: []string{"run", "-n", "--ci", "all"}},
		"pipe":     {args: []string{"run", "-n", "all"}, elsewhere: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{"begun", "go"} {
				os.Remove(filepath.Join(dir, name))
			}
			controller, terminal := openTerminal(t)
			cmd, out := same(dir, c.args...)
			cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=1")
			cmd.Stderr = terminal
			if !c.elsewhere {
				cmd.Stdout = terminal
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			terminal.Close()
			await(t, filepath.Join(dir, "begun"))
			var shown strings.Builder
			buf := make([]byte, 4096)
			for c.want && !strings.Contains(shown.String(), status) {
				n, err := controller.Read(buf)
				if err != nil {
					t.Fatalf("%v\n%q", err, shown.String())
				}
				shown.Write(buf[:n])
			}
			write(t, filepath.Join(dir, "go"), "")
			// Linux returns EIO when the last user has closed the terminal.
			_, _ = io.Copy(&shown, controller)
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			if !c.want && strings.Contains(shown.String(), "tasks done") {
				t.Errorf("got %q", shown.String())
			}
			hello := "[quick] \x1b[31mhello\x1b[0m\n"
			if c.elsewhere {
				hello = "[quick] \x1b[1G\x1b[2K\x1b[31mhello\n"
			}
			if all := strings.ReplaceAll(shown.String(), "\r\n", "\n") + out.String(); !strings.Contains(all, hello) {
				t.Errorf("got %q, want %q in it", all, hello)
			}
			text := screenText(shown.String()) + out.String()
			if strings.Contains(text, "tasks done") || !strings.Contains(text, "\n[slow] bye\n[slow] Completed in ") || !strings.HasSuffix(text, "s\n") {
				t.Errorf("at the end, the screen shows\n%s", text)
			}
		})
	}
}

// screenText returns the text on the screen at the end, without erased lines.
func screenText(written string) string {
	var b strings.Builder
	for line := range strings.SplitAfterSeq(strings.ReplaceAll(written, "\r\n", "\n"), "\n") {
		if i := strings.LastIndex(line, "\r\x1b[K"); i >= 0 {
			line = line[i+len("\r\x1b[K"):]
		}
		b.WriteString(line)
	}
	return b.String()
}

// openTerminal opens a pseudo-terminal (pty(7)) of 80 columns.
func openTerminal(t *testing.T) (controller, terminal *os.File) {
	t.Helper()
	controller, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { controller.Close() })
	fd := int(controller.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err == nil {
		terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return controller, terminal
}
