// Package realise makes restored environments usable. An environment names
// paths in the Nix store of the machine that it was made on; here they must be
// fetched first, or the environment dropped, so that the runner makes it anew.
package realise

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
	"syscall"
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/nixenv"
)

// Bounds of what restored environments may ask for.
const (
	maxEnvironments = 10_000
	maxPaths        = 8_000 // store paths in all: they must fit on one command line
)

// Options say what to realise.
type Options struct {
	Root    string        // the workspace root
	System  string        // Nix's: only environments for it are kept
	Timeout time.Duration // for all that Nix is asked for

	// Describe says in a few words which tools an environment is of, or "".
	Describe func(id string) string
	Sayf     func(format string, args ...any)
	Warnf    func(format string, args ...any)

	nixStore string // the program; a test has another
	store    string // where store paths lie; a test has another
}

// A Result says what came of it.
type Result struct {
	Kept    int `json:"kept"` // environments
	Dropped int `json:"dropped"`
	Fetched int `json:"fetched"` // store paths
}

// An environment is one environment file.
type environment struct {
	id, file string // file is relative to .same
	dir      *disk.Dir
	paths    []string // what it names in the Nix store
	bad      string   // why it is dropped
}

// Run makes every restored environment whole or drops it. An error means that
// something could not be dropped.
func Run(ctx context.Context, o Options) (*Result, error) {
	r := &realising{o: o, same: dotsame.Open(o.Root), result: &Result{}}
	if r.o.nixStore == "" {
		r.o.nixStore = "nix-store"
	}
	if r.o.store == "" {
		r.o.store = "/nix/store"
	}
	dir, err := disk.Open(filepath.Join(o.Root, dotsame.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return r.result, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := r.read(dir); err != nil {
		return nil, err
	}
	defer func() {
		for _, e := range r.all {
			e.dir.Close()
		}
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("nix took longer than %v", o.Timeout))
	defer cancel()
	r.fetch(ctx)
	if err := r.drop(); err != nil {
		return r.result, err
	}
	return r.result, r.root(ctx, dir)
}

// A realising is one Run.
type realising struct {
	o      Options
	same   *dotsame.Dir
	result *Result
	all    []*environment
}

// read finds the environment files and judges each by itself.
func (r *realising) read(dir *disk.Dir) error {
	for _, folder := range []string{dotsame.Environments, dotsame.OldEnvironments} {
		rel := dotsame.Rel(folder)
		at, err := dir.Reach(rel)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
			return nil // of what is no directory prune knows what to do with it
		}
		if err != nil {
			return err
		}
		items, err := at.List()
		if err != nil {
			at.Close()
			return err
		}
		for _, it := range items {
			id, ok := strings.CutSuffix(it.Name, ".json")
			if !ok {
				continue // prune knows what to do with it
			}
			e := &environment{id: id, file: rel + "/" + it.Name, dir: at.Hold()}
			r.all = append(r.all, e)
			if len(r.all) > maxEnvironments {
				e.bad = fmt.Sprintf("there are more than %d", maxEnvironments)
				continue
			}
			r.judge(e, it)
		}
		at.Close()
	}
	return nil
}

func (r *realising) judge(e *environment, it disk.Item) {
	if it.Kind != disk.File {
		e.bad = "it is " + it.Kind.String()
		return
	}
	data, err := e.dir.ReadFile(it.Name, nixenv.MaxEnvironment)
	if err != nil {
		var in *fs.PathError
		if errors.As(err, &in) {
			err = in.Err // the path is said already
		}
		e.bad = "it can't be read: " + err.Error()
		return
	}
	env, err := nixenv.ParseEnvironment(data)
	switch {
	case err != nil:
		e.bad = "it is not to be used: " + err.Error()
	case env.System == "":
		e.bad = "it does not say for which system it is"
	case env.System != r.o.System:
		e.bad = fmt.Sprintf("it is for %q, not for %q", env.System, r.o.System)
	default:
		e.paths = storePaths(env.Variables)
		if i := slices.IndexFunc(e.paths, func(p string) bool { return strings.HasSuffix(p, ".drv") && !r.there(p) }); i >= 0 {
			e.bad = "it names a derivation, " + e.paths[i] + ", which would be built"
		}
	}
}

// there says whether a store path exists here.
func (r *realising) there(p string) bool {
	_, err := os.Lstat(filepath.Join(r.o.store, path.Base(p)))
	return err == nil
}

// absent gives those of e's paths that do not exist here.
func (r *realising) absent(e *environment) []string {
	return slices.DeleteFunc(slices.Clone(e.paths), r.there)
}

// fetch asks Nix once for all that is absent, and marks the environments that are
// not whole then.
func (r *realising) fetch(ctx context.Context) {
	var wanted []string
	for _, e := range r.all {
		if e.bad != "" {
			continue
		}
		absent := r.absent(e)
		if len(wanted)+len(absent) > maxPaths {
			e.bad = fmt.Sprintf("it and those before it name more than %d store paths that are not here", maxPaths)
			continue
		}
		wanted = append(wanted, absent...)
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	var failed error
	if len(wanted) > 0 {
		if failed = r.look(); failed == nil {
			r.o.Sayf("asking Nix for %d store paths", len(wanted))
			failed = r.realise(ctx, wanted, "--keep-going")
		}
	}
	for _, p := range wanted {
		if r.there(p) {
			r.result.Fetched++
		}
	}
	if failed != nil {
		r.o.Warnf("not all store paths could be fetched: %v", failed)
	}
	for _, e := range r.all {
		if e.bad != "" {
			continue
		}
		if absent := r.absent(e); len(absent) > 0 {
			e.bad = absent[0] + " is not here and could not be fetched"
		}
	}
}

// drop removes the environments that are not to be used.
func (r *realising) drop() error {
	for _, e := range r.all {
		if e.bad == "" {
			r.result.Kept++
			continue
		}
		if err := r.same.Unseal(); err != nil {
			return err
		}
		if _, err := e.dir.Remove(path.Base(e.file)); err != nil {
			return err
		}
		r.result.Dropped++
		of := ""
		if what := r.o.Describe(e.id); what != "" {
			of = " (" + what + ")"
		}
		r.o.Sayf("dropped the environment %q%s: %s", dotsame.Name+"/"+e.file, of, e.bad)
	}
	r.all = slices.DeleteFunc(r.all, func(e *environment) bool {
		if e.bad != "" {
			e.dir.Close()
		}
		return e.bad != ""
	})
	return nil
}
