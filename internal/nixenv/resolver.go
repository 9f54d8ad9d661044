// Package nixenv turns the tools that a task asks for into the environment that
// it runs in. It has two steps. Resolving says what the tools are, which is
// what counts in a task's input hash, and needs no Nix. Realising asks Nix for the variables of a shell
// with those tools as packages, and is only needed when the task runs.
package nixenv

import (
	"context"
	"errors"
)

// A Resolver resolves and realises the tools of one workspace. It may be used
// by many goroutines at once; what is asked for twice is done once.
type Resolver struct {
	Root   string // the workspace root, absolute; what is remembered lies in .same/cache below it
	Flake  string // the directory of the flake whose flake.lock rules, absolute; "" for none
	System string // Nix's: x86_64-linux

	// Locks gives the digest of the flake's locks, which is what a tool of the
	// workspace's own flake (".#lint") counts by. It is called at most once.
	Locks func(context.Context) (string, error)
	// Warnf tells people of what was put aside. Nil drops it.
	Warnf func(format string, args ...any)
}

// A Resolution says what each tool of a set is.
type Resolution struct {
	Tools []Tool // in bytewise order of Alias
}

// A Tool is one resolved tool.
type Tool struct {
	Alias string
	Spec  string // as the manifest has it
	Flake string // what Nix takes, locked: "github:NixOS/nixpkgs/<rev>?narHash=…", or the path of the workspace's own flake
	Attr  string // "go", "python3Packages.black"
	// Digest stands for Flake, Attr and System in a task's input hash: equal
	// for the same toolchain on every machine, in every directory.
	Digest string
}

// Resolve says what tools (alias → spec) are, without Nix. An error names the alias and the cure.
func (r *Resolver) Resolve(ctx context.Context, tools map[string]string) (Resolution, error) {
	return Resolution{}, errors.New("under construction: tools are not resolved yet")
}

// Environment gives the variables ("KEY=VALUE", sorted by KEY) of a shell that
// has the tools as packages: remembered ones if every store path that they put
// on PATH exists, else Nix's.
func (r *Resolver) Environment(ctx context.Context, tools map[string]string, resolution Resolution) ([]string, error) {
	return nil, errors.New("under construction: environments are not realised yet")
}
