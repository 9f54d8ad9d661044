// Package nixenv turns the tools of a task into the environment that the task runs
// in, in two steps. Resolve resolves the tools. The digest of the resolution is part
// of the task's input hash, and Nix is needed only for tools of the own flake.
// Environment returns the variables of a shell that has the tools as packages. It
// asks Nix if they are not cached, and is only called when the task runs.
//
// A tool is resolved by the form of its spec:
//
//   - go@1.25.4: to the revision and attribute of nixpkgs that Nixhub names. It is
//     asked once; the answer is cached in .same/cache/nixhub.
//   - nixpkgs#go: to the input of that name in the workspace's flake.lock, and the
//     attribute.
//   - .#lint: to the derivation of that package of the flake that the workspace lies
//     in. Nix is asked for it, unless its answer for this source tree is cached.
//
// The package opens no network connection: it uses the Get of its caller.
package nixenv

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// A Resolver resolves and realises the tools of one workspace. Its methods may be
// called concurrently, and do the same work only once. Only Root and System must
// be set.
type Resolver struct {
	Root   string // the workspace root, absolute; its .same/cache is used
	System string // as Nix names it: x86_64-linux

	// Flake is the absolute directory of the flake whose flake.lock is used. The
	// default is the nearest one in or above Root, up to the git root.
	Flake string
	// NarHash returns the narHash of the tree of Flake. The default is that of package
	// key.
	NarHash func(context.Context) (string, error)
	// Nix is the program to run. The default is the nix on PATH.
	Nix string
	// Nixhub is the address of Nixhub's API. The default is the public one.
	Nixhub string
	// Get sends an HTTP GET request. The caller closes the body. If it is nil, only
	// cached answers of Nixhub are used.
	Get func(ctx context.Context, url string) (status int, body io.ReadCloser, err error)
	// Timeout limits the time that Nix takes for one environment, with downloads
	// and builds. The default is an hour.
	Timeout time.Duration
	// Warnf, if not nil, prints a warning.
	Warnf func(format string, args ...any)

	once         sync.Once
	dir          *dotsame.Dir
	flights      singleflight.Group
	resolutions  sync.Map // environment id → Resolution: stays for the whole run
	environments sync.Map // environment id and resolution → *Environment
	nixhubPolicy policy
	store        string // of Nix; tests have another one

	own  own
	lock func() (*lockFile, error) // once
}

func (r *Resolver) init() {
	r.once.Do(func() {
		r.dir = dotsame.Open(r.Root)
		r.Flake = cmp.Or(r.Flake, findFlake(r.Root))
		r.Nix = cmp.Or(r.Nix, "nix")
		r.Nixhub = cmp.Or(r.Nixhub, "https://search.devbox.sh")
		r.Timeout = cmp.Or(r.Timeout, time.Hour)
		r.store = cmp.Or(r.store, "/nix/store")
		if r.nixhubPolicy == (policy{}) {
			r.nixhubPolicy = patient
		}
		if r.NarHash == nil {
			r.NarHash = func(ctx context.Context) (string, error) { return key.NarHash(ctx, r.Flake) }
		}
		r.lock = sync.OnceValues(func() (*lockFile, error) { return readLock(r.Flake) })
	})
}

func (r *Resolver) warnf(format string, args ...any) {
	if r.Warnf != nil {
		r.Warnf(format, args...)
	}
}

// Resolve resolves tools (alias → spec). It needs Nix only if one of the own flake is
// among them. The error names the alias, and its hint says how to correct it.
func (r *Resolver) Resolve(ctx context.Context, tools map[string]string) (Resolution, error) {
	r.init()
	id := dotsame.EnvironmentID(tools)
	if known, ok := r.resolutions.Load(id); ok {
		return known.(Resolution), nil
	}
	res, err := r.resolveAll(ctx, tools)
	if err != nil {
		return Resolution{}, err
	}
	// Concurrent calls use the first answer.
	first, _ := r.resolutions.LoadOrStore(id, res)
	return first.(Resolution), nil
}

func (r *Resolver) resolveAll(ctx context.Context, tools map[string]string) (Resolution, error) {
	if pinned, ok := r.pinned(tools); ok {
		return pinned, nil
	}
	res := Resolution{System: r.System, Tools: make([]Tool, 0, len(tools))}
	for alias, spec := range tools {
		res.Tools = append(res.Tools, Tool{Alias: alias, Spec: spec})
	}
	slices.SortFunc(res.Tools, func(a, b Tool) int { return cmp.Compare(a.Alias, b.Alias) })
	wrong := make([]error, len(res.Tools))
	var group errgroup.Group
	group.SetLimit(max(4, runtime.GOMAXPROCS(0)))
	for i := range res.Tools {
		tool := &res.Tools[i]
		group.Go(func() error {
			if err := r.resolve(ctx, tool); err != nil {
				wrong[i] = fmt.Errorf("tool %q (%s): %w", tool.Alias, tool.Spec, err)
			}
			return nil
		})
	}
	_ = group.Wait()
	if err := message.Join(wrong...); err != nil {
		return Resolution{}, err
	}
	if err := r.chooseShell(&res); err != nil {
		return Resolution{}, err
	}
	return res, nil
}

// resolve sets all fields but Alias and Spec.
func (r *Resolver) resolve(ctx context.Context, t *Tool) error {
	spec, err := manifest.ParseSpec(t.Spec)
	if err != nil {
		return err
	}
	switch {
	case spec.Package != "":
		pkg, err := r.nixhub(ctx, spec.Package, spec.Version)
		if err != nil {
			return err
		}
		at := pkg.Systems[r.System].FlakeInstallable
		t.Flake, t.Attr, t.nixpkgs = at.Ref.String(), at.AttrPath, true
		t.outputs = pkg.Systems[r.System].Outputs
		t.Locked = t.Flake
	case spec.Flake == ".":
		t.Attr = spec.Attr
		return r.resolveOwn(ctx, t)
	default:
		t.Attr = spec.Attr
		return r.resolveInput(t, spec.Flake)
	}
	return nil
}

// A Resolution is the result of resolving a set of tools.
type Resolution struct {
	System string // as Nix names it
	Tools  []Tool // in bytewise order of Alias

	// Pinned is the digest of the packages' store paths, which stand for the tools,
	// if `same env` wrote the environment.
	Pinned string

	shell Tool // Flake is the nixpkgs that makes the shell; Attr is not used
}

// A Tool is one resolved tool.
type Tool struct {
	Alias string
	Spec  string // as in the manifest
	Flake string // a reference for Nix: "github:NixOS/nixpkgs/<revision>", "/path/of/the/own/flake"
	Attr  string // "go", "python3Packages.black"
	// Locked stands for Flake in a task's input hash: the same toolchain has the
	// same Locked on every machine and in every directory.
	Locked string

	own        bool     // from the workspace's own flake
	derivation string   // of an own tool
	unknown    error    // why that is not known
	nixpkgs    bool     // Flake is a nixpkgs
	outputs    []output // as Nixhub lists them
}

// Digest returns the digest of the tools in the input hash of a task.
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

// chooseShell sets the nixpkgs that makes the shell: that of the workspace's
// flake.lock if a tool comes from there, otherwise the lowest revision of a tool, as
// upstream same does.
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
			return message.WithHint(fmt.Errorf("finding a nixpkgs for the shell of the tools: %w", err),
				"add nixpkgs to the inputs of the flake, then run nix flake lock")
		}
	}
	res.shell = slices.MinFunc(candidates, func(a, b Tool) int { return strings.Compare(a.Flake, b.Flake) })
	return nil
}
