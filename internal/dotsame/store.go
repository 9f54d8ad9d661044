package dotsame

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ReadBuildInfo reads what is remembered of a task: nil for nothing. The
// inputs are left out; ReadInputs has them.
func (d *Dir) ReadBuildInfo(task string) (*BuildInfo, error) { return d.read(task, parseHead) }

// ReadInputs reads what is remembered of a task with its inputs.
func (d *Dir) ReadInputs(task string) (*BuildInfo, error) { return d.read(task, ParseBuildInfo) }

func (d *Dir) read(task string, parse func([]byte) (*BuildInfo, error)) (*BuildInfo, error) {
	data, err := d.ReadFile(InfoPath(task), MaxBuildInfo)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	b, err := parse(data)
	if err == nil && b.TaskName != task {
		err = fmt.Errorf("it is of task %q", b.TaskName)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Path(InfoPath(task)), err)
	}
	return b, nil
}

// WriteBuildInfo remembers b in place of what was remembered of its task. Its
// blobs are in the store already: a build info without its blobs makes the
// task run again, a blob without a build info is only pruned.
func (d *Dir) WriteBuildInfo(b *BuildInfo) error {
	return d.Create(InfoPath(b.TaskName), 0o644, func(f *os.File) error {
		if err := b.Encode(f); err != nil {
			return fmt.Errorf("task %q: %w", b.TaskName, err)
		}
		return nil
	})
}
