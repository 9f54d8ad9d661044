// Package prune makes .same small before it is saved. It removes everything that
// the workspace no longer refers to, and everything that is never saved.
//
// In .same/store and .same/cache it keeps the build infos of the tasks that the
// manifests declare, the blobs that these name, and the environments and
// resolutions of the tools that tasks use. Of the earlier results it keeps those that
// were used lately, up to the size of the current ones.
//
// With a maximum size, it then removes earlier results and after them the outputs of
// whole tasks, least recently used first, until the rest fits. Running or skipping a task counts as a use:
// the runner updates the mtime of its build info and its result when it skips it, and
// tar preserves that. The build info stays, so a task whose outputs are in place is still skipped;
// elsewhere it runs.
//
// Collect is the same for a machine that keeps its .same: it removes only earlier
// results that were not used for long, or that make the store too large.
package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// Options are the options of Run and Collect.
type Options struct {
	Workspace *manifest.Workspace
	Store     string        // the shared store: see dotsame.SharedStore; Run knows none
	MaxSize   int64         // of the files that stay, in bytes; negative for no limit
	History   time.Duration // how long ago an earlier result may have been used; 0 keeps none
	Now       time.Time
	DryRun    bool // report what would be removed, and remove nothing
	// Gone is called for the first MaxNamed removals, except those of unused blobs and
	// of earlier results, whose names mean nothing to a user.
	Gone  func(Gone)
	Warnf func(format string, args ...any)
}

// MaxNamed is the maximum number of calls of Options.Gone.
const MaxNamed = 1000

// Gone is a removal.
type Gone struct {
	What string // a quoted path, or the outputs of a task
	Why  string
	disk.Removed
}

// A Result is the result of Run or Collect.
type Result struct {
	Gone    disk.Removed // everything removed
	Blobs   disk.Removed // blobs removed because nothing names them
	History disk.Removed // earlier results removed
	Unnamed int          // removals beyond MaxNamed
	Kept    disk.Removed // files left: of Run those that are saved, of Collect those of .same/store
}

// Run prunes the .same of the workspace. It takes the run lock, and fails if same
// is running.
func Run(ctx context.Context, o Options) (*Result, error) {
	p := newPruning(ctx, o)
	dir, err := dotsame.OpenSame(o.Workspace.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return p.result, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pruning: %w", err)
	}
	defer dir.Close()
	p.dir, p.remover = dir, dotsame.NewRemover(dir)
	defer p.remover.Warn(o.Warnf)
	if !o.DryRun {
		unlock, err := p.lock(dir)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	for _, t := range o.Workspace.Tasks {
		for _, file := range toolFiles(t.Tools) {
			p.keep[dotsame.Rel(file)] = true
		}
	}
	items, err := dir.List()
	if err == nil {
		err = p.entries(dir, "", items, p.top)
	}
	if err != nil {
		return nil, err
	}
	return p.result, p.outputs()
}

// A pruning is the state of one call of Run or Collect. Its paths are relative to .same.
type pruning struct {
	Options
	policy
	ctx     context.Context
	same    *dotsame.Dir
	dir     *disk.Dir // .same
	shared  *disk.Dir // the shared store; nil if there is none
	remover *dotsame.Remover
	result  *Result
	named   int // calls of Options.Gone
	left    int // names that may still be listed

	keep  map[string]bool   // files of .same/cache
	tasks map[string]string // build info → task
	blobs map[digest.Digest]*blob
	uses  []use // of the tasks

	currentSize int64           // bytes of the tasks' build infos and outputs
	current     map[string]bool // files of the tasks' results
	past        []use           // of all results, and then of the earlier ones that stay
	stored      map[string]bool // files of all results
	failed      int             // failures that stay
}

func newPruning(ctx context.Context, o Options) *pruning {
	p := &pruning{Options: o, ctx: ctx, same: dotsame.OpenShared(o.Workspace.Root, o.Store), result: &Result{},
		keep: map[string]bool{}, tasks: map[string]string{}, current: map[string]bool{}, stored: map[string]bool{}, blobs: map[digest.Digest]*blob{}, left: maxEntries}
	for _, t := range o.Workspace.Tasks {
		p.tasks[dotsame.Rel(dotsame.InfoPath(t.Name))] = t.Name
	}
	return p
}

var maxEntries = disk.MaxEntries // a test lowers it

// toolFiles returns the files of .same/cache about a set of tools (alias → spec):
// their environment, also where old versions of upstream same have it, and their
// resolutions.
func toolFiles(tools map[string]string) []string {
	if len(tools) == 0 {
		return nil
	}
	env := dotsame.EnvironmentPath(tools)
	files := []string{env, path.Join(dotsame.OldEnvironments, path.Base(env))}
	for _, text := range tools {
		switch spec, err := manifest.ParseSpec(text); {
		case err != nil:
		case spec.Package != "":
			files = append(files, dotsame.NixhubPath(spec.Package, spec.Version))
		case spec.Flake == ".":
			files = append(files, dotsame.Derivations)
		}
	}
	return files
}

// lock takes the run lock, which is in .same/local. If that is not a directory it
// is removed first, so that the lock is not created elsewhere.
func (p *pruning) lock(dir *disk.Dir) (unlock func(), err error) {
	local := dotsame.Rel(dotsame.Local)
	info, err := dir.Lstat(local)
	if err == nil && info.Kind() != disk.Directory {
		err = p.remove(dir, local, "it is "+info.Kind().String())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lock, err := p.same.TryLock()
	if err != nil {
		return nil, err
	}
	return lock.Unlock, nil
}

// A pruner prunes one entry of dir, which has this path.
type pruner func(dir *disk.Dir, it disk.Item, path string) error

// entries calls prune for each of items, which are in dir. It has this path.
func (p *pruning) entries(dir *disk.Dir, dirPath string, items []disk.Item, prune pruner) error {
	for _, it := range items {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := prune(dir, it, path.Join(dirPath, it.Name)); err != nil {
			return err
		}
	}
	return nil
}

// in calls prune for each entry of the directory dirPath, which is in parent. A
// directory that can't be read, or has too many entries, is removed.
func (p *pruning) in(parent *disk.Dir, dirPath string, prune pruner) error {
	dir, err := parent.OpenDir(path.Base(dirPath))
	if err != nil {
		return p.unreadable(parent, dirPath, "it can't be read")
	}
	defer dir.Close()
	items, err := dir.List()
	if err != nil {
		return p.unreadable(parent, dirPath, "it can't be read")
	}
	if p.left -= len(items); p.left < 0 {
		return p.unreadable(parent, dirPath, fmt.Sprintf("it and the directories before it have more than %d entries", maxEntries))
	}
	return p.entries(dir, dirPath, items, prune)
}

// top prunes an entry of .same.
func (p *pruning) top(dir *disk.Dir, it disk.Item, path string) error {
	inside := map[string]pruner{dotsame.Rel(dotsame.Store): p.store, dotsame.Rel(dotsame.Cache): p.cache, dotsame.Rel(dotsame.Local): p.local}[path]
	switch {
	case inside != nil && it.Kind == disk.Directory:
		return p.in(dir, path, inside)
	case inside != nil:
		return p.remove(dir, path, "it is "+it.Kind.String())
	case path == dotsame.Rel(dotsame.Daemon) || path == dotsame.Rel(dotsame.DebugLog):
		return p.remove(dir, path, "it is never saved")
	case strings.HasSuffix(path, ".tmp"):
		return p.remove(dir, path, "it is a temporary file")
	}
	return nil
}

// cache prunes an entry of .same/cache or of a directory in it.
func (p *pruning) cache(dir *disk.Dir, it disk.Item, path string) error {
	switch path {
	case dotsame.Rel(dotsame.Environments), dotsame.Rel(dotsame.OldEnvironments), dotsame.Rel(dotsame.Nixhub):
		if it.Kind == disk.Directory {
			return p.in(dir, path, p.cache)
		}
	}
	switch {
	case it.Kind != disk.File:
		return p.remove(dir, path, "it is "+it.Kind.String())
	case !p.keep[path]:
		return p.remove(dir, path, "no task of this workspace uses these tools")
	}
	_, err := p.kept(dir, it.Name)
	return err
}

// local prunes an entry of .same/local: temporary files, and the links that keep
// Nix from collecting environments that no task has.
func (p *pruning) local(dir *disk.Dir, it disk.Item, path string) error {
	switch {
	case path == dotsame.Rel(dotsame.Temp) && it.Kind == disk.Directory:
		return p.in(dir, path, func(tmp *disk.Dir, _ disk.Item, path string) error {
			return p.remove(tmp, path, "it is a temporary file")
		})
	case path == dotsame.Rel(dotsame.Temp) || strings.HasSuffix(path, ".tmp"):
		return p.remove(dir, path, "it is a temporary file")
	case it.Kind == disk.Directory && (path == dotsame.Rel(dotsame.Profiles) || path == dotsame.Rel(dotsame.GCRoots)):
		return p.in(dir, path, p.root)
	}
	return nil
}

// root prunes a root of the garbage collector, which is named after its environment.
func (p *pruning) root(dir *disk.Dir, it disk.Item, path string) error {
	id := it.Name
	if i := strings.IndexAny(id, ".-"); i >= 0 {
		id = id[:i]
	}
	if p.keep[dotsame.Rel(dotsame.Environments)+"/"+id+".json"] {
		return nil
	}
	return p.remove(dir, path, "no task of this workspace uses its environment")
}

// remove removes path, which is in dir, and reports it. Collect leaves what is young:
// a run in another worktree may be writing it.
func (p *pruning) remove(dir *disk.Dir, path, why string) error {
	if p.isYoung(dir, filepath.Base(path)) {
		return nil
	}
	removed, err := p.removeSilently(dir, path)
	if err != nil {
		return err
	}
	p.report(Gone{What: fmt.Sprintf("%q", dotsame.Name+"/"+path), Why: why, Removed: removed})
	return nil
}

func (p *pruning) report(g Gone) {
	if p.named == MaxNamed {
		p.result.Unnamed++
		return
	}
	p.named++
	p.Gone(g)
}

// removeSilently removes path, which is in dir, or measures it in a dry run. The
// seal is removed before anything that it covers.
func (p *pruning) removeSilently(dir *disk.Dir, path string) (removed disk.Removed, err error) {
	if p.DryRun {
		removed, err = dir.Measure(filepath.Base(path))
	} else {
		if strings.HasPrefix(path, dotsame.Rel(dotsame.Store)) || strings.HasPrefix(path, dotsame.Rel(dotsame.Cache)) {
			if err := p.same.Unseal(); err != nil {
				return removed, err
			}
		}
		removed, err = p.remover.Remove(dir, path)
	}
	p.result.Gone.Add(removed)
	return removed, err
}

// kept counts the file name in dir, which is not removed.
func (p *pruning) kept(dir *disk.Dir, name string) (disk.Info, error) {
	info, err := dir.Lstat(name)
	if err == nil {
		p.result.Kept.Add(disk.Removed{Entries: 1, Bytes: info.Size})
	}
	return info, err
}
