package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// inherited are the variables of our own environment that every task sees. None
// of them is in an input hash, except the part of PATH that storeEntries returns.
var inherited = []string{"HOME", "PATH", "TERM", "TMPDIR", "USER"}

// environment returns the environment of t's command: inherited and passed
// variables, then its tools', then its own. The later of two variables with one
// name counts.
func (s *session) environment(t *manifest.Task, tools []string) []string {
	env := make(map[string]string)
	for _, name := range slices.Concat(inherited, s.PassEnv) {
		if value, ok := s.LookupEnv(name); ok {
			env[name] = value
		}
	}
	for _, variable := range tools {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	maps.Copy(env, t.Env)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// storeEntries returns the entries of path that lie in the Nix store, without
// those that contain the program own: a new version of same is not another
// toolchain.
func storeEntries(path, own string) []string {
	var entries []string
	for _, entry := range filepath.SplitList(path) {
		if strings.HasPrefix(entry, "/nix/store/") && !isIn(own, entry) {
			entries = append(entries, entry)
		}
	}
	return entries
}

func isIn(program, dir string) bool {
	if program == "" {
		return false
	}
	if filepath.Dir(program) == dir {
		return true
	}
	mine, err := os.Stat(program)
	if err != nil {
		return false
	}
	its, err := os.Stat(filepath.Join(dir, filepath.Base(program)))
	return err == nil && os.SameFile(mine, its)
}

var errNotOnPath = errors.New("not found on the task's PATH")

// lookPath finds the program that a task's command names, on the PATH in env and
// relative to the task's working directory.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	for _, variable := range env {
		path, ok := strings.CutPrefix(variable, "PATH=")
		if !ok {
			continue
		}
		for _, entry := range filepath.SplitList(path) {
			if !filepath.IsAbs(entry) {
				entry = filepath.Join(dir, entry)
			}
			if file := filepath.Join(entry, name); executable(file) == nil {
				return file, nil
			}
		}
	}
	return "", &os.PathError{Op: "finding the program", Path: name, Err: errNotOnPath}
}

func executable(file string) error {
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	if st.IsDir() || st.Mode()&0o111 == 0 {
		return &os.PathError{Op: "executing", Path: file, Err: os.ErrPermission}
	}
	// As env and shells do, pass over a program that this user may not execute.
	if err := unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS); err == unix.EACCES {
		return &os.PathError{Op: "executing", Path: file, Err: err}
	}
	return nil
}

// lockFD is the descriptor of the run lock in a task. If same is killed,
// processes that it leaves running make the next run wait, instead of
// writing beside it. Shells have no names for so high a number.
const lockFD = 10

// runCommand runs t's command in a session of its own, without input and without a
// terminal, and copies its output to out. When ctx is done it asks the command's
// process group to end, and kills it after the grace period.
func (s *session) runCommand(ctx context.Context, t *manifest.Task, env []string, out io.Writer) error {
	if len(t.Command) == 0 {
		return nil
	}
	dir := s.dir.Path(t.WorkingDir)
	if err := checkDir(dir, t.WorkingDir); err != nil {
		return err
	}
	program, err := lookPath(t.Command[0], dir, env)
	if errors.Is(err, errNotOnPath) {
		hint := "a task without tools has the PATH that same was started with: install the program, or name a tool that has it"
		if len(t.Tools) > 0 {
			hint = "a task with tools has nothing else on PATH: name the tool that has the program"
		}
		return message.WithHint(err, "%s", hint)
	}
	if err != nil {
		return explainStart(program, dir, err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd := &exec.Cmd{
		Path: program, Args: t.Command, Dir: dir, Env: env,
		Stdout: write, Stderr: write, // one pipe, so that the order is kept
		ExtraFiles:  []*os.File{lockFD - 3: s.lockFile},
		SysProcAttr: ownSession(),
	}
	g, err := s.groups.start(cmd)
	write.Close()
	if err != nil {
		return explainStart(program, dir, err)
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(out, read) // ends when every writer has closed, or on Close
	}()
	defer s.groups.remove(g)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		g.endWith(ctx, s.Grace, s.Kill, func() {
			s.warnf("task %q is still running: it is killed in %v, or immediately by a second interrupt", t.Name, s.Grace-patience)
		})
	}()
	err = cmd.Wait()
	close(g.ended)
	<-stopped
	g.kill() // processes that the command has left running could still write outputs
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
		return explainExit(program, exit.ProcessState)
	} else if err != nil {
		return fmt.Errorf("waiting for the command: %w", err)
	}
	return nil
}
