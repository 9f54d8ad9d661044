package engine

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

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

// explainStart returns err, why program could not be started, as an error that
// names what is missing: the system names the program, whatever that is.
func explainStart(program string, err error) error {
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
	}
	f, failed := os.Open(program)
	if failed != nil {
		return err
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 4096).ReadSlice('\n')
	if rest, ok := strings.CutPrefix(strings.TrimSuffix(string(line), "\n"), "#!"); ok {
		interpreter, _, _ := strings.Cut(strings.Trim(rest, " \t"), " ")
		problem := fmt.Errorf("the first line of %q names the interpreter %q: %w", program, interpreter, errors.Unwrap(errOf(os.Stat(interpreter))))
		if strings.HasSuffix(interpreter, "\r") {
			return message.WithHint(problem, "its lines end in \\r\\n: convert it to \\n")
		}
		return problem
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
	if errors.Is(err, syscall.ENOEXEC) {
		return message.WithHint(fmt.Errorf("%q is a script without an interpreter", program), "begin it with a line such as #!/bin/sh")
	}
	return err
}

func errOf(_ os.FileInfo, err error) error {
	if err == nil {
		return &fs.PathError{Err: errors.New("it cannot be started")}
	}
	return err
}
