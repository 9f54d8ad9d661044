package prune

import (
	"encoding/json"
	"fmt"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
)

// store prunes an entry of .same/store, but for the blobs: which of them stay
// is known when all build infos have been read.
func (p *pruning) store(dir *disk.Dir, it disk.Item, path string) error {
	if path == relative(dotsame.Blobs) && it.Kind == disk.Directory {
		return nil
	}
	task, ok := p.tasks[path]
	switch {
	case it.Kind != disk.File:
		return p.remove(dir, it.Name, path, "it is "+it.Kind.String())
	case !ok:
		return p.remove(dir, it.Name, path, "no task of this workspace has it"+p.ofTask(dir, it.Name))
	}
	info, err := dir.Lstat(it.Name)
	if err != nil {
		return err
	}
	b, err := p.same.ReadBuildInfo(task)
	if err != nil || b == nil {
		return p.remove(dir, it.Name, path, fmt.Sprintf("it is no build info of task %q", task))
	}
	p.blobs.use(task, b, info)
	p.kept(info)
	return nil
}

// ofTask says of which task a build info is that no task has any more.
func (p *pruning) ofTask(dir *disk.Dir, name string) string {
	if p.named == MaxNamed {
		return ""
	}
	data, err := dir.ReadFile(name, dotsame.MaxBuildInfo)
	var b struct {
		TaskName string `json:"task_name"`
	}
	if err != nil || json.Unmarshal(data, &b) != nil || b.TaskName == "" || dotsame.InfoName(b.TaskName) != name {
		return ""
	}
	return fmt.Sprintf(": it is of task %q", b.TaskName)
}

// pruneBlobs prunes .same/store/blobs.
func (p *pruning) pruneBlobs(dir *disk.Dir, it disk.Item, path string) error {
	if it.Kind != disk.Directory || len(it.Name) != 2 {
		return p.remove(dir, it.Name, path, "it is no directory of blobs")
	}
	left := 0
	err := p.in(dir, path, func(sub *disk.Dir, file disk.Item, path string) error {
		d, err := digest.Parse(file.Name)
		if err != nil || file.Kind != disk.File || !strings.HasPrefix(file.Name, it.Name) {
			return p.remove(sub, file.Name, path, "it is no blob")
		}
		if !p.blobs.used(d) {
			gone, err := p.drop(sub, file.Name, path)
			p.result.Blobs.Add(gone)
			return err
		}
		info, err := sub.Lstat(file.Name)
		if err != nil {
			return err
		}
		left++
		p.blobs.found(d, info.Size)
		p.kept(info)
		return nil
	})
	if err == nil && left == 0 && !p.o.DryRun {
		_, err = dir.Remove(it.Name) // empty by now
	}
	return err
}
