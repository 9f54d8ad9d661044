package nixenv

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
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
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("nix took longer than %v", r.Timeout))
	defer cancel()
	own, err := r.ownSource(ctx, res)
	if err != nil {
		return nil, err
	}
	expression := res.expression(own)
	// Only --expr is evaluated purely: what is in a person's home, such as
	// overlays of nixpkgs, must not change what the tools are.
	args := []string{"print-dev-env", "--json", "--expr", expression}
	id := EnvironmentID(tools)
	file := path.Join(roots, id+".nix")
	hint := ""
	if err := r.dir.WriteFile(file, []byte(expression)); err != nil {
		r.warnf("nothing keeps Nix from collecting the environment of %s: %v", describe(tools), err)
	} else {
		args = append(args, "--profile", r.dir.Path(path.Join(roots, id)))
		hint = fmt.Sprintf("nix print-dev-env --show-trace --file %s says more", file)
	}
	out, err := r.nix(ctx, hint, args...)
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

// ownSource gives a locked reference to the source of the workspace's own flake
// as it is now, if a tool is of it.
func (r *Resolver) ownSource(ctx context.Context, res Resolution) (string, error) {
	if !slices.ContainsFunc(res.Tools, func(t Tool) bool { return t.own }) {
		return "", nil
	}
	out, err := r.nix(ctx, "", "flake", "metadata", "--json", "--no-update-lock-file", r.Flake)
	if err != nil {
		return "", err
	}
	var flake struct {
		Path     string         `json:"path"`
		Resolved map[string]any `json:"resolved"`
		Locked   map[string]any `json:"locked"`
	}
	err = json.Unmarshal(out, &flake)
	hash, _ := flake.Locked["narHash"].(string)
	if err != nil || hash == "" || !storePath.MatchString(flake.Path) {
		return "", fmt.Errorf("what nix flake metadata gave cannot be used: %.200q", out)
	}
	query := url.Values{"narHash": {hash}}
	if dir, _ := flake.Resolved["dir"].(string); dir != "" {
		query.Set("dir", dir)
	}
	return "path:" + flake.Path + "?" + query.Encode(), nil
}

// nix runs Nix and gives what it prints.
func (r *Resolver) nix(ctx context.Context, hint string, args ...string) ([]byte, error) {
	program, err := exec.LookPath(r.Nix)
	if err != nil {
		return nil, cli.WithHint(fmt.Errorf("no Nix to make it with: %w", err),
			"install Nix (https://nixos.org/download), or take the tools out of the task to use those on PATH")
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"--extra-experimental-features", "nix-command flakes"}, args...)...)
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
		err = fmt.Errorf("nix: %s", cmp.Or(complaint(stderr.String()), err.Error()))
		if hint != "" {
			err = cli.WithHint(err, "%s", hint)
		}
		return nil, err
	case stdout.left < 0:
		return nil, errors.New("nix printed more than 64 MiB")
	}
	return stdout.Bytes(), nil
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
