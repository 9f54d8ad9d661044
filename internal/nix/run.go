// Package nix runs Nix's programs.
package nix

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// maxOutput bounds what a program may print, in bytes.
const maxOutput = 64 << 20

// Run runs program, a path or a name on PATH, in dir and gives what it prints.
// An error has the program's own words, on one line, or is the cause for which
// ctx ended; a program that is not there is an error of exec.LookPath's.
func Run(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	// Its builders are its children: an interrupt must reach them too, and a
	// killed nix would leave them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	stdout, stderr := &head{left: maxOutput}, &tail{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err = cmd.Run()
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("%s: %s", filepath.Base(program), cmp.Or(complaint(string(stderr.data)), err.Error()))
	case stdout.left < 0:
		return nil, errors.New(filepath.Base(program) + " printed more than 64 MiB")
	}
	return stdout.data, nil
}
