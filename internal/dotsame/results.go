package dotsame

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// A result is what a task made of inputs with one hash: a build info without the list
// of inputs, in the file ResultPath. While the build info of a task describes its last
// success only, there are results of all inputs that it had. Its task_name is only
// information: tasks with the same input hash share a result.

// ReadResult reads the result of the inputs with this hash. It returns nil if there is
// none.
func (d *Dir) ReadResult(inputs digest.Digest) (*BuildInfo, error) {
	name := ResultPath(inputs)
	data, err := d.ReadFile(name, MaxBuildInfo)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	b, err := ParseResult(data, inputs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Path(name), err)
	}
	return b, nil
}

// ParseResult parses the result of the inputs with this hash. Like a build info, it
// may come from a cache that others can write.
func ParseResult(data []byte, inputs digest.Digest) (*BuildInfo, error) {
	b, err := ParseBuildInfo(data)
	switch {
	case err != nil || b.Foreign():
		return b, err
	case b.InputHash != inputs.String():
		return nil, fmt.Errorf("it is the result of other inputs: %s", b.InputHash)
	case len(b.Inputs) > 0:
		return nil, errors.New("a result has no list of inputs")
	}
	return b, nil
}

// EachResult calls do with every result that can be read.
func (d *Dir) EachResult(do func(*BuildInfo)) {
	results, err := disk.Open(d.Path(Results))
	if err != nil {
		return
	}
	defer results.Close()
	shards, _ := results.List()
	for _, shard := range shards {
		eachFile(results, shard.Name, func(dir *disk.Dir, name string) {
			inputs, err := digest.Parse(strings.TrimSuffix(name, ".json"))
			if err != nil || ResultPath(inputs) != path.Join(Results, shard.Name, name) {
				return
			}
			data, err := dir.ReadFile(name, MaxBuildInfo)
			if err != nil {
				return
			}
			if b, err := ParseResult(data, inputs); err == nil && !b.Foreign() {
				do(b)
			}
		})
	}
}

func eachFile(parent *disk.Dir, name string, do func(dir *disk.Dir, name string)) {
	dir, err := parent.OpenDir(name)
	if err != nil {
		return
	}
	defer dir.Close()
	items, _ := dir.List()
	for _, it := range items {
		do(dir, it.Name)
	}
}

// WriteResult writes b, without the list of inputs, as the result of its inputs. The
// caller must have stored its blobs.
func (d *Dir) WriteResult(b *BuildInfo) error {
	inputs, err := digest.Parse(b.InputHash)
	if err != nil {
		return err
	}
	result := *b
	result.Inputs = nil
	return d.writeInfo(ResultPath(inputs), &result)
}

// A Failure is the contents of a file FailedPath: only its name is used.
type Failure struct {
	TaskName  string    `json:"task_name"`
	Timestamp time.Time `json:"timestamp"`
}

// Bounds on the failures that are remembered.
const (
	MaxFailures = 10_000
	MaxFailure  = 4096 // bytes of one
	FailureAge  = 30 * 24 * time.Hour
)

// HasFailed reports whether a task with this input hash has failed, and has not
// succeeded since.
func (d *Dir) HasFailed(inputs digest.Digest) bool {
	_, err := disk.Lstat(d.Path(FailedPath(inputs)))
	return err == nil // whatever it is: a run is only slow
}

// WriteFailure records that a task with this input hash has failed, and removes the
// result of the hash. If it is interrupted in between, the failure counts.
func (d *Dir) WriteFailure(task string, inputs digest.Digest) error {
	data, err := json.Marshal(Failure{task, time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		err = d.WriteFile(FailedPath(inputs), data)
	}
	return errors.Join(err, d.Remove(ResultPath(inputs)))
}

// RemoveFailure forgets that a task with this input hash has failed. It must be called
// after the result of its success was written.
func (d *Dir) RemoveFailure(inputs digest.Digest) error {
	if !d.HasFailed(inputs) {
		return nil
	}
	return d.Remove(FailedPath(inputs))
}

// BoundFailures removes the failures that are older than FailureAge, and the oldest of
// more than MaxFailures.
func (d *Dir) BoundFailures(now time.Time) error {
	failed, err := disk.Open(d.Path(Failed))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer failed.Close()
	shards, err := failed.List()
	type failure struct {
		rel  string
		last int64
	}
	var all []failure
	for _, shard := range shards {
		eachFile(failed, shard.Name, func(dir *disk.Dir, name string) {
			if st, err := dir.Lstat(name); err == nil {
				all = append(all, failure{path.Join(Failed, shard.Name, name), st.Mtime})
			}
		})
	}
	slices.SortFunc(all, func(a, b failure) int { return cmp.Compare(b.last, a.last) })
	for i, f := range all {
		if i >= MaxFailures || now.Sub(time.Unix(0, f.last)) > FailureAge {
			err = errors.Join(err, d.Remove(f.rel))
		}
	}
	return err
}

// Used records that a task was skipped, as the modification times of its build info and
// of its result: the least recently used are removed first. The contents stay the same,
// and with them the seal. Used ignores errors.
func (d *Dir) Used(task string, inputs digest.Digest) {
	d.touch(InfoPath(task), 0)
	d.touch(ResultPath(inputs), time.Hour)
}

// touch sets the modification time of a file to now, unless it is less than precision
// ago. It leaves alone a file with other hard links, which may not be ours.
func (d *Dir) touch(rel string, precision time.Duration) {
	name, now := d.Path(rel), time.Now()
	info, err := os.Lstat(name)
	if err == nil && info.Mode().IsRegular() && info.Sys().(*syscall.Stat_t).Nlink == 1 && now.Sub(info.ModTime()) >= precision {
		_ = os.Chtimes(name, now, now)
	}
}
