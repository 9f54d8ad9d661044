package prune

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
)

// A blob is the contents of an output of some of the workspace's tasks.
type blob struct {
	tasks int   // how many
	size  int64 // bytes, if it exists
}

// A use is when a task whose build info names blobs was last used.
type use struct {
	task string
	last time.Time
}

// store prunes an entry of .same/store, except the blobs: it is only known which
// tasks name them when all build infos have been read.
func (p *pruning) store(dir *disk.Dir, it disk.Item, path string) error {
	if path == dotsame.Rel(dotsame.Blobs) && it.Kind == disk.Directory {
		return nil
	}
	task, ok := p.tasks[path]
	switch {
	case it.Kind != disk.File:
		return p.remove(dir, path, "it is "+it.Kind.String())
	case !ok:
		return p.remove(dir, path, "no task of this workspace has it"+p.formerTask(dir, it.Name))
	}
	b, err := p.same.ReadBuildInfo(task)
	if err != nil || b == nil {
		return p.remove(dir, path, fmt.Sprintf("it is not a build info of task %q", task))
	}
	info, err := p.kept(dir, it.Name)
	if err != nil {
		return err
	}
	digests := b.Blobs()
	for _, d := range digests {
		if p.blobs[d] == nil {
			p.blobs[d] = &blob{}
		}
		p.blobs[d].tasks++
	}
	last := time.Unix(0, info.Mtime)
	if b.Timestamp.After(last) {
		last = b.Timestamp
	}
	if len(digests) > 0 {
		p.uses = append(p.uses, use{task, last})
	}
	return nil
}

// formerTask names the task of a build info that no task of the workspace has.
func (p *pruning) formerTask(dir *disk.Dir, name string) string {
	if p.named == MaxNamed {
		return ""
	}
	data, err := dir.ReadFile(name, dotsame.MaxBuildInfo)
	var b struct {
		TaskName string `json:"task_name"`
	}
	if err != nil || disk.DecodeJSON(data, &b) != nil || b.TaskName == "" || dotsame.InfoName(b.TaskName) != name {
		return ""
	}
	return fmt.Sprintf(": it is of task %q", b.TaskName)
}

// outputs removes the blobs that no task names and then, with a maximum size, the
// outputs of the least recently used tasks.
func (p *pruning) outputs(same *disk.Dir) error {
	if !isDir(same, dotsame.Rel(dotsame.Store)) {
		return nil
	}
	store, err := same.OpenDir(dotsame.Rel(dotsame.Store))
	if err != nil {
		return err
	}
	defer store.Close()
	if !isDir(store, path.Base(dotsame.Blobs)) {
		return nil
	}
	if err := p.in(store, dotsame.Rel(dotsame.Blobs), p.shard); err != nil {
		return err
	}
	slices.SortFunc(p.uses, func(x, y use) int {
		return cmp.Or(x.last.Compare(y.last), cmp.Compare(x.task, y.task))
	})
	for _, u := range p.uses {
		if p.MaxSize < 0 || p.result.Kept.Bytes <= p.MaxSize {
			break
		}
		if err := p.dropOutputs(same, u); err != nil {
			return err
		}
	}
	return nil
}

// isDir reports whether name in dir is a directory.
func isDir(dir *disk.Dir, name string) bool {
	info, err := dir.Lstat(name)
	return err == nil && info.Kind() == disk.Directory
}

// shard prunes a directory of blobs, .same/store/blobs/ab.
func (p *pruning) shard(blobs *disk.Dir, it disk.Item, path string) error {
	if it.Kind != disk.Directory || len(it.Name) != 2 {
		return p.remove(blobs, path, "it is not a directory of blobs")
	}
	left := 0
	err := p.in(blobs, path, func(shard *disk.Dir, file disk.Item, path string) error {
		d, err := digest.Parse(file.Name)
		if err != nil || file.Kind != disk.File || !strings.HasPrefix(file.Name, it.Name) {
			return p.remove(shard, path, "it is not a blob")
		}
		b := p.blobs[d]
		if b == nil {
			removed, err := p.removeSilently(shard, path)
			p.result.Blobs.Add(removed)
			return err
		}
		info, err := p.kept(shard, file.Name)
		b.size = info.Size
		left++
		return err
	})
	if err == nil && left == 0 && !p.DryRun {
		_, err = blobs.Remove(it.Name) // empty by now
	}
	return err
}

// dropOutputs removes the blobs that only this task names.
func (p *pruning) dropOutputs(same *disk.Dir, u use) error {
	info, err := p.same.ReadBuildInfo(u.task)
	if err != nil || info == nil {
		return err
	}
	var sum disk.Removed
	for _, d := range info.Blobs() {
		b := p.blobs[d]
		if b == nil {
			continue
		}
		if b.tasks--; b.tasks > 0 || b.size == 0 {
			continue
		}
		file := dotsame.Rel(dotsame.BlobPath(d))
		shard, err := same.Reach(path.Dir(file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the directory of blobs could not be read
		}
		if err != nil {
			return err
		}
		removed, err := p.removeSilently(shard, file)
		shard.Close()
		if err != nil {
			return err
		}
		sum.Add(removed)
	}
	p.result.Kept.Entries -= sum.Entries
	p.result.Kept.Bytes -= sum.Bytes
	if sum.Entries > 0 {
		p.report(Gone{What: fmt.Sprintf("the outputs of task %q", u.task), Removed: sum,
			Why: "last used " + strings.TrimSuffix(u.last.UTC().Format(time.DateTime), ":00") + " UTC"})
	}
	return nil
}
