package nixenv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

// Environment returns the variables ("KEY=VALUE", sorted by KEY) of a shell that
// has the tools as packages. It uses the environment file if that was made for
// this resolution and every store path on its PATH exists. Otherwise it asks Nix.
func (r *Resolver) Environment(ctx context.Context, tools map[string]string, resolution Resolution) ([]string, error) {
	r.init()
	flight := "environment " + dotsame.EnvironmentID(tools) + " " + resolution.Digest().String()
	got, err, _ := r.flights.Do(flight, func() (any, error) {
		if e, ok := r.environments.Load(flight); ok {
			return e, nil
		}
		var e *Environment
		var err error
		if resolution.Unknown() == nil {
			e, err = r.cached(tools, resolution)
		}
		if e == nil && err == nil {
			e, err = r.realise(ctx, tools, resolution)
		}
		if err == nil {
			r.environments.Store(flight, e)
		}
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("the environment of %s: %w", describe(tools), err)
	}
	return slices.Clone(got.(*Environment).Variables), nil
}

func describe(tools map[string]string) string {
	specs := make([]string, 0, len(tools))
	for _, spec := range tools {
		specs = append(specs, spec)
	}
	slices.Sort(specs)
	return strings.Join(specs, ", ")
}

// cached returns the environment from its file, or nil if Nix has to be asked.
func (r *Resolver) cached(tools map[string]string, resolution Resolution) (*Environment, error) {
	for _, e := range r.readEnvironments(tools) {
		if !e.matches(resolution) {
			continue
		}
		missing := r.missing(e)
		if missing == "" {
			return e, nil
		}
		if resolution.Pinned != "" {
			return nil, message.WithHint(fmt.Errorf("%s does not exist", missing),
				"run cachekey realise to fetch it, or enter the devShell of the flake")
		}
	}
	if resolution.Pinned != "" {
		return nil, message.WithHint(errors.New("the file that same env wrote was removed during this run"), "run the tasks again")
	}
	return nil, nil
}

// readEnvironments returns the environments in files for tools on this system, the
// current directory before the old one.
func (r *Resolver) readEnvironments(tools map[string]string) []*Environment {
	var all []*Environment
	for _, folder := range []string{dotsame.Environments, dotsame.OldEnvironments} {
		file := path.Join(folder, dotsame.EnvironmentID(tools)+".json")
		data, err := r.dir.ReadFile(file, MaxEnvironment)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var e *Environment
		if err == nil {
			e, err = ParseEnvironment(data)
		}
		if err != nil {
			r.warnf("ignoring %s: %v; if nothing makes it again, remove it", file, err)
			continue
		}
		if e.System == r.System {
			all = append(all, e)
		}
	}
	return all
}

// matches reports whether e was made for this resolution. A file of upstream same
// does not record its resolution: it matches if all tools came from Nixhub and each
// has an output, as listed by Nixhub, on the PATH.
func (e *Environment) matches(res Resolution) bool {
	switch {
	case res.Pinned != "":
		return e.pinned() == res.Pinned
	case e.resolution != "":
		return e.resolution == res.Digest().String()
	}
	return !slices.ContainsFunc(res.Tools, func(t Tool) bool {
		return !slices.ContainsFunc(t.outputs, func(o output) bool {
			return o.Path != "" && slices.Contains(e.Path, o.Path+"/bin")
		})
	})
}

// missing returns the first store path on e's PATH that does not exist, or "".
func (r *Resolver) missing(e *Environment) string {
	for _, p := range e.Path {
		rel := strings.TrimPrefix(p, "/nix/store/")
		top, _, _ := strings.Cut(rel, "/")
		if _, err := os.Lstat(filepath.Join(r.store, top)); err != nil {
			return "/nix/store/" + top
		}
	}
	return ""
}

// pinned returns the resolution of tools whose environment `same env` wrote.
func (r *Resolver) pinned(tools map[string]string) (Resolution, bool) {
	for _, e := range r.readEnvironments(tools) {
		if d := e.pinned(); d != "" {
			return Resolution{System: r.System, Pinned: d}, true
		}
	}
	return Resolution{}, false
}

// realise asks Nix for the environment and writes its file.
func (r *Resolver) realise(ctx context.Context, tools map[string]string, res Resolution) (*Environment, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("nix took longer than %v", r.Timeout))
	defer cancel()
	own := ""
	if slices.ContainsFunc(res.Tools, func(t Tool) bool { return t.own }) {
		var err error
		if own, _, err = r.ownSource(ctx); err != nil {
			return nil, err
		}
	}
	expression := res.expression(own)
	// Only --expr is evaluated purely: files in the user's home, such as overlays
	// of nixpkgs, must not change the tools.
	args := []string{"print-dev-env", "--json", "--expr", expression}
	id := dotsame.EnvironmentID(tools)
	file := path.Join(dotsame.Profiles, id+".nix")
	hint := ""
	if err := r.dir.WriteFile(file, []byte(expression)); err != nil {
		r.warnf("Nix may collect the environment of %s: %v", describe(tools), err)
	} else {
		args = append(args, "--profile", r.dir.Path(path.Join(dotsame.Profiles, id)))
		hint = fmt.Sprintf("run nix print-dev-env --show-trace --file %s for details", file)
	}
	out, err := r.nix(ctx, hint, args...)
	if err != nil && strings.Contains(err.Error(), otherDerivation) {
		r.forget()
		return nil, ErrOtherDerivation
	}
	if err != nil {
		return nil, err
	}
	e, err := parseDevEnv(out, r.System)
	if err != nil {
		return nil, fmt.Errorf("parsing the output of nix print-dev-env: %w", err)
	}
	e.resolution = res.Digest().String()
	if missing := r.missing(e); missing != "" {
		return nil, message.WithHint(fmt.Errorf("nix built %s, but it does not exist", missing),
			"Nix has its store elsewhere, and programs of a relocated store cannot run")
	}
	if res.Unknown() != nil {
		return e, nil // no resolution is known for it
	}
	data, err := e.encode()
	if err == nil {
		err = r.dir.WriteFile(dotsame.EnvironmentPath(tools), data)
	}
	if err != nil {
		r.warnf("the environment of %s is not cached: %v", describe(tools), err)
	}
	return e, nil
}
