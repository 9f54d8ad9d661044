package samedir

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
	data, err := b.Encode()
	if err != nil {
		return fmt.Errorf("task %q: %w", b.TaskName, err)
	}
	return d.WriteFile(InfoPath(b.TaskName), data)
}

// Clear removes .same/store and, if all is true, .same/cache and the stat cache
// too. The lock of runs stays: somebody may wait for it.
func (d *Dir) Clear(all bool) error {
	if err := d.Unseal(); err != nil {
		return err
	}
	errs := []error{os.RemoveAll(d.Path(Store))}
	if all {
		errs = append(errs, os.RemoveAll(d.Path(Cache)), os.RemoveAll(d.Path(StatCache)))
	}
	return errors.Join(errs...)
}
