package prune

import (
	"fmt"
	"path"
	"strings"
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
)

// shrink prunes the blobs, now that all build infos have been read, and then drops outputs
// until what is carried fits.
func (p *pruning) shrink(dir *disk.Dir) error {
	store, err := openDir(dir, "store")
	if store == nil || err != nil {
		return err
	}
	defer store.Close()
	if info, err := store.Lstat("blobs"); err != nil || info.Kind() != disk.Directory {
		return nil // what was no directory has gone
	}
	if err := p.in(store, relative(dotsame.Blobs), p.pruneBlobs); err != nil {
		return err
	}
	if p.o.MaxSize < 0 {
		return nil
	}
	for _, t := range p.blobs.leastRecent() {
		if p.result.Kept.Bytes <= p.o.MaxSize {
			break
		}
		if err := p.dropOutputs(store, t); err != nil {
			return err
		}
	}
	return nil
}

// dropOutputs removes the blobs that only this task names.
func (p *pruning) dropOutputs(store *disk.Dir, t taskUse) error {
	info, err := p.same.ReadBuildInfo(t.task)
	if err != nil || info == nil {
		return err
	}
	blobs, err := store.OpenDir("blobs")
	if err != nil {
		return err
	}
	defer blobs.Close()
	var sum disk.Removed
	for _, d := range p.blobs.release(info) {
		file := dotsame.BlobPath(d)
		sub, err := openDir(blobs, path.Base(path.Dir(file)))
		if err != nil {
			return err
		}
		if sub == nil {
			continue
		}
		gone, err := p.drop(sub, path.Base(file), relative(file))
		sub.Close()
		if err != nil {
			return err
		}
		sum.Add(gone)
	}
	p.result.Kept.Entries -= sum.Entries
	p.result.Kept.Bytes -= sum.Bytes
	if sum.Entries > 0 {
		p.tell(Gone{What: fmt.Sprintf("the outputs of task %q", t.task), Removed: sum,
			Why: "last used " + strings.TrimSuffix(t.last.UTC().Format(time.DateTime), ":00") + " UTC"})
	}
	return nil
}

// openDir opens a directory in dir; nil if it is not there or is none.
func openDir(dir *disk.Dir, name string) (*disk.Dir, error) {
	info, err := dir.Lstat(name)
	if err != nil || info.Kind() != disk.Directory {
		return nil, nil
	}
	return dir.OpenDir(name)
}
