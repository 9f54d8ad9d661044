package engine

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"cachekey/internal/message"
)

// checkDir returns an error if a task's working directory is not a directory.
func checkDir(dir, name string) error {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("its workingDir %q does not exist", name)
	case err != nil:
		return fmt.Errorf("its workingDir: %w", err)
	case !st.IsDir():
		return fmt.Errorf("its workingDir %q is not a directory", name)
	}
	return nil
}

// explainStart explains err, the error of starting program in dir. It names what is
// missing: the system's error always names the program.
func explainStart(program, dir string, err error) error {
	st, failed := os.Stat(program)
	switch {
	case errors.Is(failed, fs.ErrNotExist):
		if to, e := os.Readlink(program); e == nil {
			return fmt.Errorf("%q is a symbolic link to %q, which does not exist", program, to)
		}
		return err
	case failed != nil:
		return err
	case st.IsDir():
		return fmt.Errorf("%q is a directory, not a program", program)
	case st.Mode()&0o111 == 0:
		return message.WithHint(fmt.Errorf("%q is not executable", program), "chmod +x, or name its interpreter in cmd")
	case errors.Is(err, syscall.EACCES) && isNoexec(program):
		return message.WithHint(fmt.Errorf("%q is on a file system that is mounted noexec", program), "name its interpreter in cmd, or mount it without noexec")
	}
	f, failed := os.Open(program)
	if failed != nil {
		return err
	}
	defer f.Close()
	first := make([]byte, 4096)
	n, _ := io.ReadFull(f, first)
	first = first[:n]
	if name, ok := interpreterOf(first); ok {
		return explainInterpreter(program, dir, name, err)
	}
	if e, failed := elf.NewFile(f); failed == nil {
		for _, p := range e.Progs {
			if p.Type == elf.PT_INTERP && errors.Is(err, syscall.ENOENT) {
				name := make([]byte, min(p.Filesz, 4096))
				_, _ = p.ReadAt(name, 0)
				return fmt.Errorf("%q needs %q, which does not exist", program, strings.TrimRight(string(name), "\x00"))
			}
		}
		return fmt.Errorf("%q is a program for another machine, %v: %w", program, e.Machine, errors.Unwrap(err))
	}
	switch {
	case !errors.Is(err, syscall.ENOEXEC):
		return err
	case n == 0:
		return fmt.Errorf("%q is empty", program)
	case bytes.HasPrefix(first, []byte("\ufeff#!")):
		return message.WithHint(fmt.Errorf("%q begins with a byte order mark instead of a #! line", program), "save it without one")
	case !utf8.Valid(first[:max(0, n-utf8.UTFMax)]) || bytes.IndexByte(first, 0) >= 0:
		return fmt.Errorf("%q is not a program for this system: %w", program, errors.Unwrap(err))
	}
	return message.WithHint(fmt.Errorf("%q is a script without an interpreter", program), "begin it with a line such as #!/bin/sh")
}

// interpreterOf returns the interpreter in the #! line of a file that begins with
// first.
func interpreterOf(first []byte) (name string, ok bool) {
	line, _, _ := strings.Cut(string(first), "\n")
	line, ok = strings.CutPrefix(line, "#!")
	name = strings.Trim(line, " \t")
	if i := strings.IndexAny(name, " \t"); i >= 0 {
		name = name[:i]
	}
	return name, ok
}

// explainInterpreter explains err, the error of starting a script whose first line
// names an interpreter, relative to dir.
func explainInterpreter(script, dir, name string, err error) error {
	if name == "" {
		return fmt.Errorf("the first line of %q names no interpreter", script)
	}
	file := name
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	reason := errors.Unwrap(err)
	st, failed := os.Stat(file)
	switch {
	case failed != nil:
		reason = errors.Unwrap(failed)
	case st.IsDir():
		reason = errors.New("it is a directory")
	case st.Mode()&0o111 == 0:
		reason = errors.New("it is not executable")
	}
	problem := fmt.Errorf("the first line of %q names the interpreter %.260q: %w", script, name, reason)
	if strings.HasSuffix(name, "\r") {
		return message.WithHint(problem, crlfHint)
	}
	return problem
}

const crlfHint = `its lines end in \r\n: convert it to \n`

// A failure is the error of a command that has run.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// explainExit returns the error of a program that ended with state. An interpreter
// such as env exits with 127 if it does not find the program in the first line.
func explainExit(program string, state *os.ProcessState) error {
	err := error(&failure{errors.New(state.String())}) // "exit status 2", "signal: killed"
	if state.ExitCode() == 127 {
		first, _ := beginning(program)
		if line, _, _ := bytes.Cut(first, []byte("\n")); bytes.HasPrefix(line, []byte("#!")) && bytes.HasSuffix(line, []byte("\r")) {
			return message.WithHint(err, "the first line of %q asks for a program whose name ends in \\r: convert it to \\n", program)
		}
	}
	return err
}
