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

// Environment gives the variables ("KEY=VALUE", sorted by KEY) of a shell that
// has the tools as packages: remembered ones if they are of this resolution and
// every store path on their PATH exists, else Nix's.
func (r *Resolver) Environment(ctx context.Context, tools map[string]string, resolution Resolution) ([]string, error) {
	r.init()
	flight := "environment " + EnvironmentID(tools) + " " + resolution.Digest().String()
	got, err, _ := r.flights.Do(flight, func() (any, error) {
		if e, ok := r.environments.Load(flight); ok {
			return e, nil
		}
		e, err := r.usable(tools, resolution)
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

// usable gives the remembered environment, or nil if Nix has to be asked.
func (r *Resolver) usable(tools map[string]string, resolution Resolution) (*Environment, error) {
	for _, e := range r.onDisk(tools) {
		if !r.isOf(e, resolution) {
			continue
		}
		missing := r.missing(e)
		if missing == "" {
			return e, nil
		}
		if resolution.Pinned != "" {
			return nil, message.WithHint(fmt.Errorf("%s is not there", missing),
				"cachekey realise fetches it; so does entering the devShell that the flake made of it")
		}
	}
	if resolution.Pinned != "" {
		return nil, message.WithHint(errors.New("it was made by the flake and has gone since this run began"), "run the tasks again")
	}
	return nil, nil
}

// onDisk gives the environments that are remembered for tools and for this
// system, the folder of today first.
func (r *Resolver) onDisk(tools map[string]string) []*Environment {
	var all []*Environment
	for _, folder := range []string{dotsame.Environments, dotsame.OldEnvironments} {
		file := path.Join(folder, EnvironmentID(tools)+".json")
		data, err := r.dir.ReadFile(file, MaxEnvironment)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var e *Environment
		if err == nil {
			e, err = ParseEnvironment(data)
		}
		if err != nil {
			r.warnf("%s is put aside: %v", file, err)
			continue
		}
		if e.System == r.System {
			all = append(all, e)
		}
	}
	return all
}

// isOf says whether e was made of this resolution. A file of the existing same
// does not say: it is taken if everything in it came from Nixhub and it has on
// its PATH what Nixhub says.
func (r *Resolver) isOf(e *Environment, res Resolution) bool {
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

// missing gives the first store path on PATH that does not exist, or "".
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

// pinned gives the resolution of tools whose environment `same env` wrote.
func (r *Resolver) pinned(tools map[string]string) (Resolution, bool) {
	for _, e := range r.onDisk(tools) {
		if d := e.pinned(); d != "" {
			return Resolution{System: r.System, Pinned: d}, true
		}
	}
	return Resolution{}, false
}
