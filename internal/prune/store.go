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

// A blob is the contents of an output.
type blob struct {
	users int   // how many build infos of the workspace's tasks, and earlier results, name it
	size  int64 // bytes, if it exists
}

// A use is when a task whose build info names blobs, or an earlier result, was last
// used.
type use struct {
	task  string
	last  time.Time
	file  string // of the result
	size  int64  // bytes of the file of an earlier result
	blobs []dotsame.Blob
}

// store prunes an entry of .same/store, except the directories that can be shared: see
// outputs.
func (p *pruning) store(dir *disk.Dir, it disk.Item, path string) error {
	if _, ok := dotsame.Shared(dotsame.Name + "/" + path); ok && it.Kind == disk.Directory {
		return nil
	}
	task, ok := p.tasks[path]
	switch {
	case it.Kind != disk.File:
		return p.remove(dir, path, "it is "+it.Kind.String())
	case !ok && p.former:
		return p.formerInfo(dir, it, path)
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
	u := newUse(b, info)
	u.task = task
	if inputs, err := digest.Parse(b.InputHash); err == nil {
		u.file = dotsame.Rel(dotsame.ResultPath(inputs))
		p.current[u.file] = true
	}
	p.currentSize += info.Size
	for _, b := range u.blobs {
		if p.blobs[b.Digest] == nil {
			p.currentSize += b.Size
		}
	}
	p.use(u)
	p.uses = append(p.uses, u)
	return nil
}

// formerInfo counts the build info of a task that the workspace does not declare, as that
// of another branch, as an earlier result.
func (p *pruning) formerInfo(dir *disk.Dir, it disk.Item, path string) error {
	data, err := dir.ReadFile(it.Name, dotsame.MaxBuildInfo)
	if err != nil {
		return p.remove(dir, path, "it can't be read")
	}
	b, err := dotsame.ParseBuildInfo(data)
	if err != nil || dotsame.InfoName(b.TaskName) != it.Name {
		return p.remove(dir, path, "it is not a build info")
	}
	info, err := p.kept(dir, it.Name)
	if err != nil {
		return err
	}
	u := newUse(b, info)
	u.file = path
	p.past = append(p.past, u)
	return nil
}

func newUse(b *dotsame.BuildInfo, info disk.Info) use {
	last := time.Unix(0, info.Mtime)
	if b.Timestamp.After(last) {
		last = b.Timestamp
	}
	return use{task: b.TaskName, last: last, size: info.Size, blobs: b.Blobs()}
}

func (p *pruning) use(u use) {
	for _, b := range u.blobs {
		if p.blobs[b.Digest] == nil {
			p.blobs[b.Digest] = &blob{}
		}
		p.blobs[b.Digest].users++
	}
}

// results prunes a directory of results, .same/store/results/ab. Which results stay is
// only known when all have been read: see history.
func (p *pruning) results(results *disk.Dir, it disk.Item, shard string) error {
	if it.Kind != disk.Directory || len(it.Name) != 2 {
		return p.remove(results, shard, "it is not a directory of results")
	}
	return p.in(results, shard, func(dir *disk.Dir, it disk.Item, path string) error {
		inputs, err := digest.Parse(strings.TrimSuffix(it.Name, ".json"))
		if err != nil || it.Kind != disk.File || dotsame.Rel(dotsame.ResultPath(inputs)) != path {
			return p.remove(dir, path, "it is not a result")
		}
		data, err := dir.ReadFile(it.Name, dotsame.MaxBuildInfo)
		if err != nil {
			return p.remove(dir, path, "it can't be read")
		}
		b, err := dotsame.ParseResult(data, inputs)
		if err != nil || b.Foreign() {
			return p.remove(dir, path, "it is not a result of these inputs")
		}
		info, err := p.kept(dir, it.Name)
		if err != nil {
			return err
		}
		p.stored[path] = true
		u := newUse(b, info)
		u.file = path
		for _, b := range u.blobs {
			u.size += b.Size
		}
		p.past = append(p.past, u)
		return nil
	})
}

// failures prunes a directory of failures, .same/store/failed/ab.
func (p *pruning) failures(failed *disk.Dir, it disk.Item, shard string) error {
	if it.Kind != disk.Directory || len(it.Name) != 2 {
		return p.remove(failed, shard, "it is not a directory of failures")
	}
	return p.in(failed, shard, func(dir *disk.Dir, it disk.Item, path string) error {
		inputs, err := digest.Parse(it.Name)
		if err != nil || it.Kind != disk.File || dotsame.Rel(dotsame.FailedPath(inputs)) != path {
			return p.remove(dir, path, "it is not a failure")
		}
		info, err := dir.Lstat(it.Name)
		if err != nil {
			return err
		}
		switch {
		case info.Size > dotsame.MaxFailure:
			return p.remove(dir, path, "it is not a failure")
		case p.Now.Sub(time.Unix(0, info.Mtime)) > dotsame.FailureAge:
			return p.remove(dir, path, "it is older than 30 days")
		case p.failed == dotsame.MaxFailures:
			return p.remove(dir, path, fmt.Sprintf("there are more than %d failures", p.failed))
		}
		p.failed++
		_, err = p.kept(dir, it.Name)
		return err
	})
}

// history keeps the earlier results that were used within Options.History, the latest
// first, as long as they are together not larger than the current ones. It removes the
// others.
func (p *pruning) history() error {
	slices.SortFunc(p.past, func(x, y use) int {
		return cmp.Or(y.last.Compare(x.last), cmp.Compare(x.file, y.file))
	})
	room := p.currentSize
	var kept []use
	for _, u := range p.past {
		if p.current[u.file] {
			continue // its blobs are those of a build info
		}
		if p.History <= 0 || p.Now.Sub(u.last) > p.History || u.size > room && !p.anySize {
			removed, err := p.dropResult(u)
			p.result.History.Add(removed)
			if err != nil {
				return err
			}
			continue
		}
		room -= u.size
		p.use(u)
		kept = append(kept, u)
	}
	p.past = kept
	return nil
}

// dropResult removes the file of a result.
func (p *pruning) dropResult(u use) (removed disk.Removed, err error) {
	shard := path.Dir(u.file)
	dir, err := p.reach(shard)
	if err != nil {
		return removed, err
	}
	removed, err = p.removeSilently(dir, u.file)
	dir.Close()
	p.result.Kept.Entries -= removed.Entries
	p.result.Kept.Bytes -= removed.Bytes
	if err != nil || p.DryRun || shard == dotsame.Rel(dotsame.Store) {
		return removed, err
	}
	results, err := p.reach(path.Dir(shard))
	if err == nil {
		_ = results.RemoveEmpty(path.Base(shard)) // it stays if it has other results
		results.Close()
	}
	return removed, err
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

// outputs removes earlier results, the blobs that are not named any more and then, with
// a maximum size, the least recently used results: earlier ones, and then the outputs of
// tasks.
func (p *pruning) outputs() error {
	if err := p.inStore(dotsame.Failed, p.failures); err != nil {
		return err
	}
	if err := p.inStore(dotsame.Results, p.results); err != nil {
		return err
	}
	if err := p.history(); err != nil {
		return err
	}
	// Which blobs are named is only known now.
	if err := p.inStore(dotsame.Blobs, p.shard); err != nil {
		return err
	}
	slices.SortFunc(p.uses, func(x, y use) int {
		return cmp.Or(x.last.Compare(y.last), cmp.Compare(x.task, y.task))
	})
	tooLarge := func() bool { return p.MaxSize >= 0 && p.result.Kept.Bytes > p.MaxSize }
	for _, u := range slices.Backward(p.past) {
		if !tooLarge() {
			return nil
		}
		file, err := p.dropResult(u) // first, so that no result names a blob that is gone
		p.result.History.Add(file)
		if err != nil {
			return err
		}
		blobs, err := p.dropBlobs(u)
		p.result.History.Add(blobs)
		if err != nil {
			return err
		}
	}
	if p.keepOutputs {
		return nil
	}
	for _, u := range p.uses {
		if !tooLarge() {
			break
		}
		if err := p.dropOutputs(u); err != nil {
			return err
		}
	}
	return nil
}

// inStore calls prune for each entry of a directory of the store, if it exists.
func (p *pruning) inStore(dir string, prune pruner) error {
	store := p.shared
	if store == nil {
		own := dotsame.Rel(dotsame.Store)
		if !isDir(p.dir, own) {
			return nil
		}
		var err error
		if store, err = p.dir.OpenDir(own); err != nil {
			return err
		}
		defer store.Close()
	}
	if !isDir(store, path.Base(dir)) {
		return nil
	}
	return p.in(store, dotsame.Rel(dir), prune)
}

// reach opens a directory of .same. Those of results and blobs may be shared.
func (p *pruning) reach(dir string) (*disk.Dir, error) {
	if inStore, ok := dotsame.Shared(dotsame.Name + "/" + dir); ok && p.shared != nil {
		return p.shared.Reach(inStore)
	}
	return p.dir.Reach(dir)
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
		if b == nil && !p.isYoung(shard, file.Name) {
			removed, err := p.removeSilently(shard, path)
			p.result.Blobs.Add(removed)
			return err
		}
		info, err := p.kept(shard, file.Name)
		if b != nil {
			b.size = info.Size
		}
		left++
		return err
	})
	if err == nil && left == 0 && !p.DryRun {
		_, err = blobs.Remove(it.Name) // empty by now
	}
	return err
}

// dropOutputs removes the blobs that only this task names, and its result.
func (p *pruning) dropOutputs(u use) error {
	removed, err := p.dropBlobs(u)
	if err != nil || removed.Entries == 0 {
		return err
	}
	if p.stored[u.file] {
		result, err := p.dropResult(u)
		if err != nil {
			return err
		}
		removed.Add(result)
	}
	p.report(Gone{What: fmt.Sprintf("the outputs of task %q", u.task), Removed: removed,
		Why: "last used " + strings.TrimSuffix(u.last.UTC().Format(time.DateTime), ":00") + " UTC"})
	return nil
}

// dropBlobs removes the blobs that nothing but u names.
func (p *pruning) dropBlobs(u use) (sum disk.Removed, err error) {
	for _, named := range u.blobs {
		b := p.blobs[named.Digest]
		if b == nil {
			continue
		}
		if b.users--; b.users > 0 || b.size == 0 {
			continue
		}
		file := dotsame.Rel(dotsame.BlobPath(named.Digest))
		shard, err := p.reach(path.Dir(file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the directory of blobs could not be read
		}
		if err != nil {
			return sum, err
		}
		removed, err := p.removeSilently(shard, file)
		shard.Close()
		if err != nil {
			return sum, err
		}
		sum.Add(removed)
	}
	p.result.Kept.Entries -= sum.Entries
	p.result.Kept.Bytes -= sum.Bytes
	return sum, nil
}
