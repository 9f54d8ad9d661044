// Package realise makes restored environments usable. An environment names paths in
// the Nix store of the machine that created it. Run fetches those that do not exist
// here, and removes the environments that stay incomplete, so that the runner
// creates them again.
package realise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nix-community/go-nix/pkg/nixbase32"
	"github.com/nix-community/go-nix/pkg/storepath"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/nixenv"
)

// Limits for restored environments.
const (
	maxEnvironments = 10_000
	maxPaths        = 8_000 // store paths in all: they must fit on one command line
)

// Options are the options of Run.
type Options struct {
	Root    string        // the workspace root
	System  string        // as Nix names it: environments for others are removed
	Timeout time.Duration // of all calls of Nix together

	// Describe returns the tools of an environment in a few words, or "".
	Describe func(id string) string
	Infof    func(format string, args ...any)
	Warnf    func(format string, args ...any)

	nixStore string // the program; tests replace it
	store    string // the directory of the Nix store; tests replace it
}

// A Result counts what Run did.
type Result struct {
	Kept    int `json:"kept"` // environments
	Dropped int `json:"dropped"`
	Fetched int `json:"fetched"` // store paths
}

// An environment is one environment file.
type environment struct {
	id, file string // file is relative to .same
	dir      *disk.Dir
	paths    []string // in the Nix store
	problem  string   // because of which it is dropped, or ""
}

// Run fetches the store paths of all restored environments and drops those that
// cannot be used. An error means that one could not be dropped. Run takes the run
// lock, and fails if same is running; it needs no permissions if there are no
// environments.
func Run(ctx context.Context, o Options) (*Result, error) {
	r := &realiser{Options: o, same: dotsame.Open(o.Root)}
	r.nixStore, r.store = cmp.Or(r.nixStore, "nix-store"), cmp.Or(r.store, storepath.StoreDir)
	dir, err := dotsame.OpenSame(o.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return &r.result, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := r.same.CheckLinks(); err != nil {
		return nil, err
	}
	defer func() {
		for _, e := range r.all {
			e.dir.Close()
		}
	}()
	for _, folder := range []string{dotsame.Environments, dotsame.OldEnvironments} {
		if err := r.read(dir, dotsame.Rel(folder)); err != nil {
			return nil, err
		}
	}
	if len(r.all) > 0 {
		lock, err := r.same.TryLock()
		switch {
		case err == nil:
			defer lock.Unlock()
		case errors.As(err, new(*dotsame.LockedError)):
			return nil, err
		} // otherwise .same can't be locked, or can't be written
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("nix took longer than %v", o.Timeout))
	defer cancel()
	r.fetch(ctx)
	if err := r.drop(); err != nil {
		return &r.result, err
	}
	if err := r.root(ctx, dir); err != nil {
		r.Warnf("nix may collect the store paths of the environments: %v", err)
	}
	return &r.result, nil
}

// A realiser is the state of one call of Run.
type realiser struct {
	Options
	same   *dotsame.Dir
	result Result
	all    []*environment
}

// read reads the environment files in folder. It ignores everything else, which is
// left to prune.
func (r *realiser) read(dir *disk.Dir, folder string) error {
	at, err := dir.Reach(folder)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	items, err := at.List()
	if err != nil {
		return err
	}
	for _, it := range items {
		id, ok := strings.CutSuffix(it.Name, ".json")
		if !ok {
			continue
		}
		e := &environment{id: id, file: folder + "/" + it.Name, dir: at.Hold()}
		if r.all = append(r.all, e); len(r.all) > maxEnvironments {
			e.problem = fmt.Sprintf("there are more than %d", maxEnvironments)
			continue
		}
		r.check(e, it)
	}
	return nil
}

// check reads and checks one environment file.
func (r *realiser) check(e *environment, it disk.Item) {
	if it.Kind != disk.File {
		e.problem = "it is " + it.Kind.String()
		return
	}
	data, err := e.dir.ReadFile(it.Name, nixenv.MaxEnvironment)
	if err != nil {
		e.problem = "it can't be read: " + disk.Reason(err)
		return
	}
	env, err := nixenv.ParseEnvironment(data)
	switch {
	case err != nil:
		e.problem = "it can't be used: " + err.Error()
	case env.System == "":
		e.problem = "it does not say which system it is for"
	case env.System != r.System:
		e.problem = fmt.Sprintf("it is for %q, not for %q", env.System, r.System)
	default:
		e.paths = storePaths(env.Variables)
		for _, p := range r.missing(e) {
			if strings.HasSuffix(p, ".drv") {
				e.problem = "it names a derivation, " + p + ", which would be built"
				return
			}
		}
	}
}

// maxName is Nix's limit for the name of a store path: StorePath::MaxPathLen.
const maxName = 211

var inText = regexp.MustCompile(regexp.QuoteMeta(storepath.StoreDir) + `/[` + nixbase32.Alphabet + `]{32}-[a-zA-Z0-9+_?=-][a-zA-Z0-9+._?=-]*`)

// storePaths returns the store paths in variables ("KEY=VALUE"), sorted, without
// duplicates. It leaves out the outputs of the shell's own derivation, which is never
// built: variables with their names ("out") have their paths, and linker flags repeat
// these.
func storePaths(variables []string) []string {
	value := map[string]string{}
	for _, v := range variables {
		name, text, _ := strings.Cut(v, "=")
		value[name] = text
	}
	own := map[string]bool{}
	outputs := strings.Fields(value["outputs"])
	if len(outputs) == 0 {
		outputs = []string{"out"}
	}
	for _, o := range outputs {
		own[value[o]] = true
	}
	var paths []string
	for _, text := range value {
		for _, p := range inText.FindAllString(text, -1) {
			if sp, err := storepath.FromAbsolutePath(p); err == nil && len(sp.Name) <= maxName && !own[p] {
				paths = append(paths, p)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// fetch calls Nix once for all missing paths, and marks the environments that are
// incomplete afterwards.
func (r *realiser) fetch(ctx context.Context) {
	var wanted []string
	for _, e := range r.all {
		if e.problem != "" {
			continue
		}
		missing := r.missing(e)
		if len(wanted)+len(missing) > maxPaths {
			e.problem = fmt.Sprintf("it and those before it name more than %d missing store paths", maxPaths)
			continue
		}
		wanted = append(wanted, missing...)
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	if len(wanted) == 0 {
		return
	}
	err := r.findNix()
	if err == nil {
		r.Infof("asking Nix for %d store paths", len(wanted))
		err = r.realise(ctx, wanted, "--keep-going")
	}
	if err != nil {
		r.Warnf("not all store paths could be fetched: %v", err)
	}
	for _, p := range wanted {
		if r.exists(p) {
			r.result.Fetched++
		}
	}
	for _, e := range r.all {
		if missing := r.missing(e); e.problem == "" && len(missing) > 0 {
			e.problem = missing[0] + " is missing and could not be fetched"
		}
	}
}

// drop removes the environments that have a problem.
func (r *realiser) drop() error {
	for _, e := range r.all {
		if e.problem == "" {
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
		tools := r.Describe(e.id)
		if tools != "" {
			tools = " (" + tools + ")"
		}
		r.Infof("dropped the environment %q%s: %s", dotsame.Name+"/"+e.file, tools, e.problem)
	}
	return nil
}
