package nixenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os/exec"
	"path"
	"slices"

	"cachekey/internal/dotsame"
	"cachekey/internal/message"
	"cachekey/internal/nix"
)

// roots holds, for each environment, its expression and the links that keep
// Nix's garbage collector away from it.
const roots = dotsame.Local + "/environments"

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
		return nil, message.WithHint(fmt.Errorf("nix made %s, and it is not there", missing),
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
	out, err := nix.Run(ctx, r.Root, r.Nix, append([]string{"--extra-experimental-features", "nix-command flakes"}, args...)...)
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return nil, message.WithHint(fmt.Errorf("no Nix to make it with: %w", err),
			"install Nix (https://nixos.org/download), or take the tools out of the task to use those on PATH")
	case err != nil && hint != "":
		return nil, message.WithHint(err, "%s", hint)
	}
	return out, err
}
