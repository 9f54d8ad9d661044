package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

var errNotOnPath = errors.New("it is not on the task's PATH")

// defaultGrace is how long an interrupted task may take to clean up after itself.
const defaultGrace = 10 * time.Second

// patience is how long an interrupted task may take before people are told
// what they are waiting for.
const patience = time.Second

// lingering is how long output is waited for that somebody else, who left the
// task's process group, might still write.
const lingering = time.Second

// lockFD is the descriptor by which a task has the lock of runs open. Should same
// be killed, what it leaves running keeps the next run waiting, rather than
// write on beside it. Shells have no names for so high a number.
const lockFD = 10

// execute runs t's command with a process group of its own and no input, and
// copies what it says to out. When ctx is done the whole group is asked to end,
// and in the end made to.
func (r *Runner) execute(ctx context.Context, t *manifest.Task, env []string, out io.Writer) error {
	if len(t.Command) == 0 {
		return nil
	}
	dir := r.dir.Path(t.WorkingDir)
	program, err := lookPath(t.Command[0], dir, env)
	if errors.Is(err, errNotOnPath) {
		return message.WithHint(err, "%s", whereToFind(t))
	}
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd := &exec.Cmd{
		Path: program, Args: t.Command, Dir: dir, Env: env,
		Stdout: write, Stderr: write, // one pipe, so that both stay in order
		ExtraFiles:  []*os.File{lockFD - 3: r.held},
		SysProcAttr: processGroup(),
	}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(out, read) // ends when the last writer does, or on Close
	}()
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		endGroup(ctx, cmd.Process.Pid, ended, r.Grace, func() {
			r.warnf("task %q is still running: it is killed in %v, or at once by a second interrupt", t.Name, r.Grace-patience)
		})
	}()
	err = cmd.Wait()
	close(ended)
	<-stopped
	// What the command has left running would go on writing to its outputs.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	select {
	case <-copied:
	case <-time.After(lingering):
		read.Close()
		<-copied
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return errors.New(exit.ProcessState.String()) // "exit status 2", "signal: killed"
	} else if err != nil {
		return fmt.Errorf("waiting for the command: %w", err)
	}
	return nil
}

// whereToFind says what to do about a program that is not on t's PATH.
func whereToFind(t *manifest.Task) string {
	if len(t.Tools) > 0 {
		return "a task with tools has nothing else on PATH: name the tool that has the program"
	}
	return "a task without tools has the PATH that same was started with: install the program, or name a tool that has it"
}

var errInterrupted = errors.New("interrupted")

// endGroup waits until the command has ended. If ctx is done before, it ends the
// command's group: those that the command has started may take their time too.
// It calls waiting if that takes long.
func endGroup(ctx context.Context, group int, ended <-chan struct{}, grace time.Duration, waiting func()) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	_ = syscall.Kill(-group, syscall.SIGTERM)
	again := make(chan os.Signal, 1) // whoever interrupts once more does not want to wait
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	long, enough := time.After(patience), time.After(grace)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !groupEnded(group, ended) {
		select {
		case <-again:
		case <-enough:
		case <-look.C:
			continue
		case <-long:
			waiting()
			continue
		}
		_ = syscall.Kill(-group, syscall.SIGKILL)
		<-ended
		return
	}
}

// groupEnded says whether the command and all that it started in its group have
// ended. As a container's first process same is the one to bury the latter.
func groupEnded(group int, ended <-chan struct{}) bool {
	select {
	case <-ended:
	default:
		return false
	}
	for {
		if pid, err := syscall.Wait4(-group, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return errors.Is(syscall.Kill(-group, 0), syscall.ESRCH)
		}
	}
}
