package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

// The defaults of Options for Collect.
const (
	MaxSize = 10_000_000_000 // 10 GB
	MaxAge  = 30 * 24 * time.Hour
)

// youngBlob is how long ago a blob was written at most that Collect keeps although no
// result names it. The results of a run are written after their blobs.
const youngBlob = time.Hour

// A policy is what Collect does otherwise than Run. The zero value is Run's.
type policy struct {
	former      bool          // keep the build infos of tasks that the workspace does not declare, as earlier results
	anySize     bool          // of earlier results, not only that of the current ones
	young       time.Duration // how long blobs stay that no result names
	keepOutputs bool          // of tasks, whatever MaxSize is
}

// Collect removes from .same/store, and from the shared store, the results that were not used within
// Options.History, and then the least recently used ones until the store has at most
// Options.MaxSize. It keeps what the last results of the workspace's tasks need, whatever
// their size: after it, they are all still found. The caller must hold the run lock,
// except in a dry run.
func Collect(ctx context.Context, o Options) (*Result, error) {
	p := newPruning(ctx, o)
	p.policy = policy{former: true, anySize: true, young: youngBlob, keepOutputs: true}
	dir, err := dotsame.OpenSame(o.Workspace.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return p.result, nil
	}
	if err != nil {
		return nil, fmt.Errorf("removing old results: %w", err)
	}
	defer dir.Close()
	p.dir, p.remover = dir, dotsame.NewRemover(dir)
	defer p.remover.Warn(o.Warnf)
	if o.Store != "" {
		p.shared, err = disk.OpenRoot(o.Store)
		if errors.Is(err, fs.ErrNotExist) {
			return p.result, nil
		} else if err != nil {
			return nil, fmt.Errorf("removing old results: %w", err)
		}
		defer p.shared.Close()
	}
	if store := dotsame.Rel(dotsame.Store); isDir(dir, store) {
		if err := p.in(dir, store, p.store); err != nil {
			return nil, err
		}
	}
	return p.result, p.outputs()
}

// unreadable removes the directory path, which is in parent, because it can't be read.
// Collect does not: it may hold what the workspace needs.
func (p *pruning) unreadable(parent *disk.Dir, path, why string) error {
	if p.keepOutputs {
		return message.WithHint(fmt.Errorf("%q: %s", dotsame.Name+"/"+path, why), "same clean removes all results")
	}
	return p.remove(parent, path, why)
}

// isYoung reports whether a blob that no result names stays for now.
func (p *pruning) isYoung(shard *disk.Dir, name string) bool {
	if p.young == 0 {
		return false
	}
	info, err := shard.Lstat(name)
	return err == nil && p.Now.Sub(time.Unix(0, info.Mtime)) < p.young
}
