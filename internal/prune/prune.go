// Package prune makes .same small before it is saved: it removes what the
// workspace as it is now does not refer to, and what is never carried.
//
// What stays of .same/store and .same/cache are the build infos of tasks that the
// manifests declare, the blobs that these name, and the environments and
// resolutions of tools that tasks ask for. Everything else in there goes.
//
// With a maximum, the outputs of whole tasks go next, least recently used first,
// until what is carried fits. A task was used when it last ran or was skipped:
// the runner sets the time of modification of its build info when it skips it, and tar carries that
// along. The build info stays, so where the outputs are in place the task is
// still skipped; elsewhere it runs.
package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

// Options say what to prune.
type Options struct {
	Workspace *manifest.Workspace
	// MaxSize is how many bytes may stay of what is carried; negative for any number.
	MaxSize int64
	DryRun  bool // only say what would go
	// Gone is told of the first MaxNamed things that go, not counting unused
	// blobs, which have no names that say anything.
	Gone func(Gone)
}

// MaxNamed is how many things that went are named.
const MaxNamed = 1000

// Gone is something that went.
type Gone struct {
	What string // quoted, for a log: a path, or the outputs of a task
	Why  string
	disk.Removed
}

// A Result says what came of it.
type Result struct {
	Gone    disk.Removed
	Blobs   disk.Removed // of Gone, blobs that no task names
	Unnamed int          // how many things went beyond MaxNamed
	Kept    disk.Removed // what is still there, and carried
}

// Run prunes the workspace. Nothing else may run in it meanwhile: the lock of
// runs must be free.
func Run(ctx context.Context, o Options) (*Result, error) {
	p := &pruning{ctx: ctx, o: o, same: dotsame.Open(o.Workspace.Root), result: &Result{}}
	dir, err := disk.Open(filepath.Join(o.Workspace.Root, dotsame.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return p.result, nil
	}
	if err != nil {
		return nil, message.WithHint(fmt.Errorf("pruning: %w", err), "%s must be a directory, not a link to one", dotsame.Name)
	}
	defer dir.Close()
	if !o.DryRun {
		unlock, err := p.lock(dir)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	p.refer()
	items, err := dir.List()
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if err := p.top(dir, it); err != nil {
			return nil, err
		}
	}
	return p.result, p.shrink(dir)
}

// A pruning is one Run.
type pruning struct {
	ctx    context.Context
	o      Options
	same   *dotsame.Dir
	result *Result
	named  int

	keep  map[string]bool // files to keep, relative to .same
	tasks map[string]string
	blobs *blobs
}

// lock takes the lock of runs, which lies in .same/local. If that is a link or a
// file it goes first, lest the lock be made elsewhere.
func (p *pruning) lock(dir *disk.Dir) (unlock func(), err error) {
	info, err := dir.Lstat("local")
	if err == nil && info.Kind() != disk.Directory {
		err = p.remove(dir, "local", "local", "it is "+info.Kind().String())
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

// refer collects what the manifests refer to.
func (p *pruning) refer() {
	p.keep, p.tasks, p.blobs = map[string]bool{}, map[string]string{}, newBlobs()
	for _, t := range p.o.Workspace.Tasks {
		p.tasks[relative(dotsame.InfoPath(t.Name))] = t.Name
		if len(t.Tools) == 0 {
			continue
		}
		for _, file := range toolFiles(t.Tools) {
			p.keep[relative(file)] = true
		}
	}
}

func relative(path string) string { return strings.TrimPrefix(path, dotsame.Name+"/") }

// top prunes one entry of .same.
func (p *pruning) top(dir *disk.Dir, it disk.Item) error {
	switch {
	case it.Name == "store" && it.Kind == disk.Directory:
		return p.in(dir, it.Name, p.store)
	case it.Name == "cache" && it.Kind == disk.Directory:
		return p.in(dir, it.Name, p.cache)
	case it.Name == "local" && it.Kind == disk.Directory:
		return p.in(dir, it.Name, p.local)
	case it.Name == "store" || it.Name == "cache" || it.Name == "local":
		return p.remove(dir, it.Name, it.Name, "it is "+it.Kind.String())
	case it.Name == "daemon" || it.Name == "debug.log":
		return p.remove(dir, it.Name, it.Name, "it is never carried")
	case strings.HasSuffix(it.Name, ".tmp"):
		return p.remove(dir, it.Name, it.Name, "it is a temporary file")
	default:
		return nil
	}
}

// in opens a directory and has prune look at each of its entries.
func (p *pruning) in(parent *disk.Dir, path string, prune func(dir *disk.Dir, it disk.Item, path string) error) error {
	dir, err := parent.OpenDir(filepath.Base(path))
	if err != nil {
		return p.remove(parent, filepath.Base(path), path, "it can't be read")
	}
	defer dir.Close()
	items, err := dir.List()
	if err != nil {
		return err
	}
	for _, it := range items {
		err := p.ctx.Err()
		if err == nil {
			err = prune(dir, it, path+"/"+it.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes name in dir and tells of it.
func (p *pruning) remove(dir *disk.Dir, name, path, why string) error {
	gone, err := p.drop(dir, name, path)
	if err != nil {
		return err
	}
	p.tell(Gone{What: fmt.Sprintf("%q", dotsame.Name+"/"+path), Why: why, Removed: gone})
	return nil
}

func (p *pruning) tell(g Gone) {
	if p.named == MaxNamed {
		p.result.Unnamed++
		return
	}
	p.named++
	p.o.Gone(g)
}

// drop removes name in dir; in a dry run it only counts. What is carried goes
// only after the seal, which would miss it.
func (p *pruning) drop(dir *disk.Dir, name, path string) (gone disk.Removed, err error) {
	if p.o.DryRun {
		gone, err = dir.Measure(name)
	} else {
		if strings.HasPrefix(path, "store") || strings.HasPrefix(path, "cache") {
			if err := p.same.Unseal(); err != nil {
				return gone, err
			}
		}
		gone, err = dir.Remove(name)
	}
	p.result.Gone.Add(gone)
	return gone, err
}

// kept counts a file that stays.
func (p *pruning) kept(info disk.Info) {
	p.result.Kept.Add(disk.Removed{Entries: 1, Bytes: info.Size})
}
