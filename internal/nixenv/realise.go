package nixenv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"cachekey/internal/cli"
	"cachekey/internal/samedir"
)

// roots holds, for each environment, its expression and the links that keep
// Nix's garbage collector away from it.
const roots = samedir.Local + "/environments"

// maxOutput bounds what Nix may print, in bytes.
const maxOutput = 64 << 20

// realise asks Nix for the environment, and remembers it.
func (r *Resolver) realise(ctx context.Context, tools map[string]string, res Resolution) (*Environment, error) {
	id := EnvironmentID(tools)
	file := path.Join(roots, id+".nix")
	if err := r.dir.WriteFile(file, []byte(res.expression())); err != nil {
		return nil, fmt.Errorf("writing the expression for Nix: %w", err)
	}
	out, err := r.printDevEnv(ctx, r.dir.Path(file), r.dir.Path(path.Join(roots, id)))
	if err != nil {
		return nil, err
	}
	e, err := parseDevEnv(out, r.System)
	if err != nil {
		return nil, fmt.Errorf("what nix print-dev-env gave cannot be used: %w", err)
	}
	e.resolution = res.Digest().String()
	if missing := r.missing(e); missing != "" {
		return nil, cli.WithHint(fmt.Errorf("nix made %s, and it is not there", missing),
			"Nix keeps its store elsewhere: programs of a relocated store cannot run")
	}
	data, err := e.encode()
	if err == nil {
		err = r.dir.WriteFile(EnvironmentPath(tools), data)
	}
	if err != nil {
		r.warnf("the environment of %s is not remembered: %v", describe(tools), err)
	}
	return e, nil
}

// printDevEnv runs Nix. The profile is a root for the garbage collector.
func (r *Resolver) printDevEnv(ctx context.Context, file, profile string) ([]byte, error) {
	program, err := exec.LookPath(r.Nix)
	if err != nil {
		return nil, cli.WithHint(fmt.Errorf("no Nix to make it with: %w", err),
			"install Nix (https://nixos.org/download), or take the tools out of the task to use those on PATH")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("nix took longer than %v", r.Timeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--extra-experimental-features", "nix-command flakes",
		"print-dev-env", "--json", "--profile", profile, "--file", file)
	cmd.Dir = r.Root
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
	case context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, cli.WithHint(fmt.Errorf("nix: %s", cmp.Or(complaint(stderr.String()), err.Error())),
			"nix print-dev-env --file %s says more", relativeTo(r.Root, file))
	case stdout.left < 0:
		return nil, errors.New("nix printed more than 64 MiB")
	}
	return stdout.Bytes(), nil
}

func relativeTo(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil {
		return rel
	}
	return file
}

var dependencyFailed = regexp.MustCompile(`dependenc(y|ies)\b.*\bfailed\b`)

// complaint gives in Nix's words, on one line, what is wrong: the last of its
// errors, which is the cause of those before it, unless it only says that a
// dependency failed.
func complaint(stderr string) string {
	var errs []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "error:"); ok {
			errs = append(errs, text)
		} else if len(errs) > 0 {
			errs[len(errs)-1] += " " + line
		}
	}
	text := stderr
	for i, e := range errs {
		if i == 0 || !dependencyFailed.MatchString(e) {
			text = e
		}
	}
	words := strings.Join(strings.Fields(text), " ")
	if len(words) > 1000 {
		words = strings.ToValidUTF8(words[:1000], "") + "…"
	}
	return words
}

// A head keeps what is written to it up to a bound, and swallows the rest.
type head struct {
	bytes.Buffer
	left int
}

func (h *head) Write(p []byte) (int, error) {
	if h.left -= len(p); h.left >= 0 {
		h.Buffer.Write(p)
	}
	return len(p), nil
}

const tailSize = 64 << 10 // bytes

// A tail keeps the end of what is written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*tailSize {
		t.data = slices.Clone(t.data[len(t.data)-tailSize:])
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.data) }
