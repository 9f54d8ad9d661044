package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/manifest"
)

// The output of the commands under `toolchain` counts for every task without tools:
// the program that starts a task may stay the same when what it starts changes. A
// shim of rustup or mise reads a file, and go reads go.mod. So each command runs
// once per run for each directory and environment of its tasks. The answer is not
// cached for the next run.

const (
	toolchainTime   = 10 * time.Second // for one command
	toolchainOutput = 64 << 10         // bytes that one command may print
)

// A toolchains runs the commands, concurrently with the first hashing of inputs.
type toolchains struct {
	answers map[*manifest.Task][]*toolchainAnswer // in the order of its toolchain
	warned  sync.Map                              // the commands that a warning has named
	running sync.WaitGroup
	cancel  context.CancelFunc
}

// A toolchainAnswer is the output of one command.
type toolchainAnswer struct {
	done   chan struct{} // closed when the fields below are set
	output digest.Digest
	err    error
}

// startToolchains starts the toolchain commands of tasks, and the resolution of their
// tools. The caller must end both.
func (s *session) startToolchains(ctx context.Context, tasks []*manifest.Task) {
	var sets []map[string]string
	for _, t := range tasks {
		if len(t.Tools) > 0 {
			sets = append(sets, t.Tools)
		}
	}
	if len(sets) > 0 {
		s.stopTools = s.Resolver.Prepare(ctx, sets)
	}
	ctx, s.toolchains.cancel = context.WithCancel(ctx)
	s.toolchains.answers = make(map[*manifest.Task][]*toolchainAnswer)
	known := make(map[string]*toolchainAnswer) // by command, directory and environment
	free := make(chan struct{}, max(4, 2*runtime.GOMAXPROCS(0)))
	for _, t := range tasks {
		if len(t.Command) == 0 || len(t.Toolchain) == 0 {
			continue
		}
		env := s.environment(t, nil)
		for _, command := range t.Toolchain {
			id := toolchainID(t, command, env)
			a := known[id]
			if a == nil {
				a = &toolchainAnswer{done: make(chan struct{})}
				known[id] = a
				s.toolchains.running.Go(func() {
					defer close(a.done)
					free <- struct{}{}
					defer func() { <-free }()
					dir := s.dir.Path(t.WorkingDir)
					if a.err = checkDir(dir, t.WorkingDir); a.err == nil {
						a.output, a.err = outputOf(ctx, command, dir, env, toolchainTime)
					}
				})
			}
			s.toolchains.answers[t] = append(s.toolchains.answers[t], a)
		}
	}
}

// end kills the commands that still run.
func (c *toolchains) end() {
	if c.cancel != nil {
		c.cancel()
	}
	c.running.Wait()
}

func toolchainID(t *manifest.Task, command, env []string) string {
	return strings.Join(slices.Concat([]string{strconv.Itoa(len(command)), t.WorkingDir}, command, env), "\x00")
}

// answered reports whether all answers for t are there.
func (s *session) answered(t *manifest.Task) bool {
	for _, a := range s.toolchains.answers[t] {
		select {
		case <-a.done:
		default:
			return false
		}
	}
	return true
}

// awaitAnswers waits for all answers for t. Its error is that of ctx.
func (s *session) awaitAnswers(ctx context.Context, t *manifest.Task) error {
	for _, a := range s.toolchains.answers[t] {
		select {
		case <-a.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// addToolchain adds the answers of t's toolchain to in. It waits for them.
func (s *session) addToolchain(ctx context.Context, t *manifest.Task, in *inputs) error {
	maps.DeleteFunc(in.recipe, func(part string, _ digest.Digest) bool { return strings.HasPrefix(part, partToolchain) })
	if err := s.awaitAnswers(ctx, t); err != nil {
		return err
	}
	for i, a := range s.toolchains.answers[t] {
		command := t.Toolchain[i]
		name := strings.Join(command, " ")
		part := partToolchain + name
		if a.err == nil {
			// Two commands may have the same name: ["a b"] and [a, b].
			in.recipe[part] = parts('t', append([]string{in.recipe[part].String(), a.output.String()}, command...)...)
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		in.unknowable(part)
		if _, before := s.toolchains.warned.LoadOrStore(name, true); !before {
			s.warnf("toolchain command %q: %v; its tasks run, and their results are not cached (%s)", name, a.err, t.Pos.File)
		}
	}
	return nil
}

// outputOf runs a command and returns the digest of its output. It kills the command
// after limit.
func outputOf(ctx context.Context, command []string, dir string, env []string, limit time.Duration) (digest.Digest, error) {
	program, err := lookPath(command[0], dir, env)
	if err != nil {
		return digest.Digest{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	out := &disk.LimitedWriter{Left: toolchainOutput}
	cmd := exec.CommandContext(ctx, program)
	cmd.Args, cmd.Dir, cmd.Env = command, dir, env
	cmd.Stdout, cmd.Stderr = out, out // one writer: the order is kept
	cmd.SysProcAttr = ownSession()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // of a process that has left the group
	// ownSession ties the command to this thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if cmd.Process != nil {
		g := &group{id: cmd.Process.Pid, ended: make(chan struct{})}
		close(g.ended)
		g.kill() // what it has left running
	}
	switch {
	case context.Cause(ctx) != nil:
		return digest.Digest{}, context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay):
		return digest.Digest{}, errors.New("it ended, but left a process running that keeps its output open")
	case err != nil && len(bytes.TrimSpace(out.Data)) > 0:
		first, _, _ := bytes.Cut(bytes.TrimSpace(out.Data), []byte("\n"))
		return digest.Digest{}, fmt.Errorf("%w: %.200q", err, first)
	case err != nil:
		return digest.Digest{}, err
	case out.Left < 0:
		return digest.Digest{}, fmt.Errorf("it printed more than %d KiB", toolchainOutput>>10)
	}
	return digest.Of(out.Data), nil
}

// toolchainKnown reports whether all programs that run t are among its inputs: t has
// tools or a toolchain, or its PATH contains only store paths.
func (s *session) toolchainKnown(t *manifest.Task) bool {
	if len(t.Command) == 0 || len(t.Tools) > 0 || len(t.Toolchain) > 0 {
		return true
	}
	path, ok := t.Env["PATH"]
	if !ok {
		path, _ = s.LookupEnv("PATH")
	}
	if path == "" {
		return false
	}
	for _, entry := range filepath.SplitList(path) {
		if !strings.HasPrefix(filepath.Clean(entry), "/nix/store/") {
			return false
		}
	}
	return true
}
