// Package nixenv turns the tools that a task asks for into the environment that
// it runs in, in two steps. Resolving says what the tools are: that is what
// counts in a task's input hash, and needs no Nix. Realising asks Nix for the
// variables of a shell with those tools as packages, and is only needed when the
// task runs.
//
// What a spec resolves to:
//
//   - go@1.25.4: the revision and attribute of nixpkgs that Nixhub names, which
//     is asked once and remembered in .same/cache/nixhub;
//   - nixpkgs#go: the input of that name that the workspace's own flake.lock
//     has, and the attribute;
//   - .#lint: the flake that the workspace lies in, by the digest of its locks.
package nixenv

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// A Resolver resolves and realises the tools of one workspace. Its methods may
// be called at once; what is asked for twice at a time is done once. Only Root
// and System must be set.
type Resolver struct {
	Root   string // the workspace root, absolute; what is remembered lies in .same/cache below it
	System string // Nix's: x86_64-linux

	// Flake is the directory of the flake whose flake.lock rules, absolute. The
	// default is the nearest one above Root, not beyond a git root.
	Flake string
	// Locks gives the digest of the flake's locks, which is what a tool of the
	// workspace's own flake (".#lint") counts by. The default is key.LocksDigest of
	// Root. It is called once.
	Locks func(context.Context) (string, error)
	// Nix is the program to call. The default is nix, searched on PATH.
	Nix string
	// Nixhub is the address of the API, for a mirror or a test. The default is the public one.
	Nixhub string
	// Timeout is how long Nix may take for one environment, downloads and
	// builds included. The default is an hour.
	Timeout time.Duration
	// Warnf tells people of what was put aside. Nil drops it.
	Warnf func(format string, args ...any)

	once         sync.Once
	dir          *dotsame.Dir
	flights      singleflight.Group
	resolutions  sync.Map // environment id → Resolution: what a run began with stays
	environments sync.Map // environment id and resolution → *Environment
	nixhubPolicy policy
	store        string // where Nix keeps things; a test has another

	locks func() (string, error) // once
	lock  func() (*lockFile, error)
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
		if r.Locks == nil {
			r.Locks = func(ctx context.Context) (string, error) { return key.LocksDigest(ctx, r.Root) }
		}
		r.locks = sync.OnceValues(func() (string, error) { return r.Locks(context.Background()) })
		r.lock = sync.OnceValues(func() (*lockFile, error) { return readLock(r.Flake) })
	})
}

func (r *Resolver) warnf(format string, args ...any) {
	if r.Warnf != nil {
		r.Warnf(format, args...)
	}
}

// Resolve says what tools (alias → spec) are, without Nix. An error names the
// alias, its hint the cure.
func (r *Resolver) Resolve(ctx context.Context, tools map[string]string) (Resolution, error) {
	r.init()
	id := EnvironmentID(tools)
	if known, ok := r.resolutions.Load(id); ok {
		return known.(Resolution), nil
	}
	res, err := r.resolveAll(ctx, tools)
	if err != nil {
		return Resolution{}, err
	}
	// The first answer counts, whoever gave it.
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

// resolve fills in all but Alias and Spec.
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
		return r.resolveOwn(t)
	default:
		t.Attr = spec.Attr
		return r.resolveInput(t, spec.Flake)
	}
	return nil
}
