package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const bashCompletion = "/usr/share/bash-completion/bash_completion"

// TestCompletion presses TAB in real shells. Ordinary names are completed, and no
// name in a hostile checkout makes a shell run code.
func TestCompletion(t *testing.T) {
	const emacs = "\nbindkey -e\nautoload -Uz compinit\ncompinit -D -u"
	for name, c := range map[string]struct {
		command []string
		setup   string // the shell's part of the set-up, before the script is sourced
		needs   string
	}{
		"bash with bash-completion":    {[]string{"bash", "--norc", "--noprofile", "-i"}, "source " + bashCompletion, bashCompletion},
		"bash without bash-completion": {[]string{"bash", "--norc", "--noprofile", "-i"}, "", ""},
		"zsh":                          {[]string{"zsh", "-f", "-i"}, emacs, ""},
		"fish":                         {[]string{"fish", "--no-config", "-i"}, "function fish_prompt; echo '> '; end", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(c.command[0]); err != nil {
				skipShell(t, err.Error())
			}
			if _, err := os.Stat(c.needs); err != nil && c.needs != "" {
				skipShell(t, err.Error())
			}
			dir := t.TempDir()
			own, script := filepath.Join(dir, "bin/same"), filepath.Join(dir, "completion")
			write(t, own, "#!/bin/sh\nRUN_SAME=1 exec "+ownPath()+" \"$@\"\n")
			if err := os.Chmod(own, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, script, run(t, dir, "completion", c.command[0]))
			write(t, filepath.Join(dir, "setup"), c.setup+"\nsource "+script+"\necho sou''rced\n")

			honest := filepath.Join(dir, "honest")
			write(t, filepath.Join(honest, "same.work.yaml"), "version: \"1\"\nprojects: [api]\n")
			write(t, filepath.Join(honest, "api/same.yaml"), "version: \"1\"\nproject: api\ntasks:\n  build: {cmd: [x]}\n  test: {cmd: [x]}\n")
			sh := startShell(t, c.command, dir, honest)
			const home = "\x01" // the beginning of the line
			sh.send("same run api:b\t" + home + "echo 'got:' \r")
			sh.await("got: same run api:build")
			sh.send("same cl\t" + home + "echo 'got:' \r")
			sh.await("got: same clean")
			sh.send("same plan --js\t" + home + "echo 'got:' \r")
			sh.await("got: same plan --json")

			hostile := filepath.Join(dir, "hostile")
			tasks := "version: \"1\"\ntasks:\n"
			for _, name := range []string{"$(touch mark)a", "$(touch mark)b"} {
				tasks += "  '" + name + "': {cmd: [x]}\n"
				write(t, filepath.Join(hostile, "d", name, "file"), "")
			}
			write(t, filepath.Join(hostile, "same.yaml"), tasks)
			sh = startShell(t, c.command, dir, hostile)
			const erase = "\x05\x15" // from the end of the line to its beginning
			for i, typed := range []string{"same run ", "same run $", "same run \\$", "same plan $", "same run -C d/", "same -C d/", "same -C d/\\$",
				`same -C "d/$(touch mark)a" `, "same run >mark "} {
				for _, keys := range []string{"\ta \t", "\ta\t \t"} {
					done := fmt.Sprintf("%d-%d", i, len(keys))
					sh.send(typed + keys + erase + "echo done'-'" + done + "\r")
					sh.await("done-" + done)
				}
			}
			for _, at := range []string{hostile, dir} {
				if _, err := os.Stat(filepath.Join(at, "mark")); err == nil {
					t.Errorf("the shell ran a name of the checkout:\n%q", sh.seen.String())
				}
			}
		})
	}
}

// skipShell skips a test that needs a program, or fails it where .ci/run has
// installed all of them.
func skipShell(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CACHEKEY_TEST_REQUIRE_NIX") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// A shell is an interactive shell on a terminal.
type shell struct {
	t        *testing.T
	terminal *os.File
	seen     strings.Builder
}

// startShell starts a shell in work and sources dir/setup.
func startShell(t *testing.T, command []string, dir, work string) *shell {
	t.Helper()
	controller, terminal := openTerminal(t)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = work
	cmd.Env = []string{"HOME=" + dir, "TERM=xterm", "LANG=C.UTF-8", "PS1=> ", "PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	sh := &shell{t: t, terminal: controller}
	sh.send("source " + filepath.Join(dir, "setup") + "\r")
	sh.await("sourced")
	return sh
}

func (s *shell) send(keys string) {
	s.t.Helper()
	if _, err := s.terminal.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// await reads until the shell has printed text.
func (s *shell) await(text string) {
	s.t.Helper()
	late := time.AfterFunc(time.Minute, func() { s.terminal.Close() })
	defer late.Stop()
	from, buf := s.seen.Len(), make([]byte, 4096)
	for !strings.Contains(s.seen.String()[from:], text) {
		n, err := s.terminal.Read(buf)
		if err != nil {
			s.t.Fatalf("%v: got %q, want %q in it", err, s.seen.String()[from:], text)
		}
		s.seen.Write(buf[:n])
	}
}
