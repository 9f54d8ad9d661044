package prune

import (
	"cmp"
	"slices"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
)

// blobs knows which blobs the workspace's tasks name.
type blobs struct {
	of    map[digest.Digest]*blob
	tasks []taskUse
}

type blob struct {
	users int   // tasks that name it
	size  int64 // bytes, if it is there
}

type taskUse struct {
	task string
	last time.Time
}

func newBlobs() *blobs { return &blobs{of: map[digest.Digest]*blob{}} }

// use notes the blobs of a task, and when it was last used: when it ran, or
// later when the runner skipped it.
func (b *blobs) use(task string, info *dotsame.BuildInfo, file disk.Info) {
	ds := info.Blobs()
	for _, d := range ds {
		if b.of[d] == nil {
			b.of[d] = &blob{}
		}
		b.of[d].users++
	}
	last := time.Unix(0, file.Mtime)
	if info.Timestamp.After(last) {
		last = info.Timestamp
	}
	if len(ds) > 0 {
		b.tasks = append(b.tasks, taskUse{task, last})
	}
}

func (b *blobs) used(d digest.Digest) bool { return b.of[d] != nil }

// found notes that a blob is there.
func (b *blobs) found(d digest.Digest, size int64) { b.of[d].size = size }

// leastRecent gives the tasks that have blobs, the least recently used first.
func (b *blobs) leastRecent() []taskUse {
	slices.SortFunc(b.tasks, func(x, y taskUse) int {
		return cmp.Or(x.last.Compare(y.last), cmp.Compare(x.task, y.task))
	})
	return b.tasks
}

// release takes a task's blobs from it, and gives those that nobody has any more.
func (b *blobs) release(info *dotsame.BuildInfo) (free []digest.Digest) {
	for _, d := range info.Blobs() {
		if o := b.of[d]; o != nil {
			if o.users--; o.users == 0 && o.size > 0 {
				free = append(free, d)
			}
		}
	}
	return free
}
