package nixenv

import (
	"fmt"
	"slices"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/message"
)

// A Resolution says what each tool of a set is.
type Resolution struct {
	System string // Nix's
	Tools  []Tool // in bytewise order of Alias

	// Pinned is set where `same env` wrote the environment: the digest of its
	// packages' store paths, which then stand for the tools.
	Pinned string

	shell Tool // whose flake is the nixpkgs that the shell is made with; Attr is not used
}

// A Tool is one resolved tool.
type Tool struct {
	Alias string
	Spec  string // as the manifest has it
	Flake string // what Nix takes: "github:NixOS/nixpkgs/<revision>", "/path/of/the/own/flake"
	Attr  string // "go", "python3Packages.black"
	// Locked is what stands for Flake in a task's input hash: equal for the
	// same toolchain on every machine and under every path.
	Locked string

	own     bool     // of the workspace's own flake
	nixpkgs bool     // Flake is a nixpkgs
	outputs []output // what Nixhub says of it
}

// Digest stands for the tools in a task's input hash.
func (r Resolution) Digest() digest.Digest {
	parts := digest.NewParts("cachekey same-v1 tools")
	parts.Add('s', r.System)
	if r.Pinned != "" {
		parts.Add('p', r.Pinned)
		return parts.Sum()
	}
	for _, t := range r.Tools {
		parts.Add('t', t.Alias, t.Locked, t.Attr)
	}
	parts.Add('n', r.shell.Locked)
	return parts.Sum()
}

// chooseShell says which nixpkgs makes the shell: the one that the workspace's
// flake.lock has if a tool comes by it, else the lowest revision that a tool is
// of, as with the existing same.
func (r *Resolver) chooseShell(res *Resolution) error {
	var candidates []Tool
	byLock := false
	for _, t := range res.Tools {
		if t.nixpkgs {
			candidates = append(candidates, t)
		} else {
			byLock = true
		}
	}
	if byLock || len(candidates) == 0 {
		shell := Tool{}
		if err := r.resolveInput(&shell, "nixpkgs"); err == nil {
			res.shell = shell
			return nil
		} else if len(candidates) == 0 {
			return message.WithHint(fmt.Errorf("no nixpkgs to make a shell of the tools with: %w", err),
				"add nixpkgs to the inputs of the flake, then run nix flake lock")
		}
	}
	res.shell = slices.MinFunc(candidates, func(a, b Tool) int { return strings.Compare(a.Flake, b.Flake) })
	return nil
}
