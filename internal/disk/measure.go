package disk

import (
	"errors"
	"io/fs"
)

// Measure counts what Remove would remove. What it can't read, or lies too
// deep for Walk, it leaves out.
func (d *Dir) Measure(name string) (Removed, error) {
	var all Removed
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, err
	}
	all.count(info)
	if info.Kind != Directory {
		return all, nil
	}
	sub, err := d.OpenDir(name)
	if err != nil {
		return all, nil
	}
	defer sub.Close()
	err = sub.Walk(name, func(e Entry) (bool, error) {
		if info, err := e.Dir.Lstat(e.Name); err == nil {
			all.count(info)
		}
		return e.Kind == Directory, nil
	}, func(Entry, error) error { return nil })
	return all, err
}
