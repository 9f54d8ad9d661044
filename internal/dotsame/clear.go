package dotsame

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// A Remover removes untrusted files below .same. A directory that is beyond the
// bounds of package disk, or can't be removed, is moved to .same/local/refused-<n>:
// nothing reads it there, and Clean removes it.
type Remover struct {
	same      *disk.Dir
	unbounded bool
	refused   int
	warning   string // about the first one
}

// NewRemover returns a Remover for the .same that is open in same.
func NewRemover(same *disk.Dir) *Remover { return &Remover{same: same} }

// Remove removes the last component of path, which is relative to .same, in dir,
// and everything below it.
func (r *Remover) Remove(dir *disk.Dir, path string) (disk.Removed, error) {
	remove := dir.Remove
	if r.unbounded {
		remove = dir.RemoveUnbounded
	}
	removed, err := remove(lastName(path))
	if err == nil {
		return removed, nil
	}
	if r.Refuse(dir, path, err) != nil {
		return removed, err
	}
	removed.Entries++
	return removed, nil
}

// Refuse moves the last component of path in dir to .same/local, without reading
// it. The reason is for the warning.
func (r *Remover) Refuse(dir *disk.Dir, path string, reason error) error {
	name := lastName(path)
	if path == Rel(Local) { // it can't be moved into itself
		name = ".cachekey-refused.tmp"
		if err := dir.Expel(path, r.same, name); err != nil {
			return err
		}
	}
	local, err := r.same.MakeDir(Rel(Local))
	if err != nil {
		return err
	}
	defer local.Close()
	var as string
	err = fs.ErrExist
	for n := 1; n <= disk.MaxNames && errors.Is(err, fs.ErrExist); n++ {
		as = fmt.Sprint(refusedPrefix, n)
		err = dir.Expel(name, local, lastName(as))
	}
	if err != nil {
		return err
	}
	if r.refused++; r.refused == 1 {
		r.warning = fmt.Sprintf("%s can't be removed: %s; it is now %s", message.Quote(Name+"/"+path), disk.Reason(reason), as)
	}
	return nil
}

// Warn calls warnf once if a directory was moved.
func (r *Remover) Warn(warnf func(format string, args ...any)) {
	switch {
	case r.refused == 1:
		warnf("%s: same clean --all removes it", r.warning)
	case r.refused > 1:
		warnf("%s (and %d more): same clean --all removes them", r.warning, r.refused-1)
	}
}

func lastName(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// Bounds on .same/local/aside. The files that one run moved there are removed when
// they are older than AsideAge, or when they and those of later runs are larger than
// AsideSize. Those of the last run are kept at any size.
const (
	AsideAge  = 30 * 24 * time.Hour
	AsideSize = 1 << 30 // 1 GiB

	AsideTime = "20060102T150405.000" // the names in it: the time of a run, in UTC
)

var asideSize int64 = AsideSize // tests lower it

// BoundAside removes from .same/local/aside what is beyond its bounds. The caller
// must hold the run lock.
func (d *Dir) BoundAside(now time.Time) error {
	same, err := openSame(d.root, (*disk.Dir).OpenDir) // as it is: a run makes no read-only .same writable
	if err != nil {
		return err
	}
	defer same.Close()
	aside, err := same.Reach(Rel(Aside))
	if err != nil {
		return err
	}
	defer aside.Close()
	runs, err := aside.List() // in order of time
	size, last := int64(0), true
	for _, run := range slices.Backward(runs) {
		made, timeErr := time.Parse(AsideTime, run.Name)
		if timeErr != nil {
			continue // not ours
		}
		if now.Sub(made) <= AsideAge {
			measured, _ := aside.Measure(run.Name)
			size += measured.Bytes
			if size <= asideSize || last {
				last = false
				continue
			}
		}
		_, removeErr := aside.Remove(run.Name)
		err = errors.Join(err, removeErr)
	}
	return err
}

// ClearTemp removes the temporary files of killed runs. It does not follow a link
// at .same/local. The caller must hold the run lock.
func (d *Dir) ClearTemp() error {
	same, err := openSame(d.root, (*disk.Dir).OpenDir) // as it is: a run makes no read-only .same writable
	if err != nil {
		return err
	}
	defer same.Close()
	local, err := same.OpenDir(Rel(Local))
	if err != nil {
		return err
	}
	defer local.Close()
	_, err = local.Remove(path.Base(Temp))
	return errors.Join(err, removeClocks(local))
}

// removeClocks removes the files with which package files reads the clock of the file
// system, and which a killed run has left.
func removeClocks(local *disk.Dir) error {
	items, err := local.List()
	for _, it := range items {
		if it.Kind == disk.File && strings.HasPrefix(it.Name, "clock") {
			err = errors.Join(err, local.RemoveFile(it.Name))
		}
	}
	return err
}

// recordOutputs records the outputs of every task in the store as leftovers, so that
// they are still known as the tasks' own when the store has been removed. A task that
// has a list of leftovers has run since, and keeps it.
func (d *Dir) recordOutputs(same *disk.Dir) {
	store, err := same.OpenDir(Rel(Store))
	if err != nil {
		return
	}
	defer store.Close()
	items, _ := store.List()
	for _, it := range items {
		data, err := store.ReadFile(it.Name, MaxBuildInfo)
		if it.Kind != disk.File || err != nil {
			continue
		}
		info, err := parseHead(data)
		if err != nil || InfoName(info.TaskName) != it.Name || len(info.Outputs) == 0 {
			continue
		}
		if _, err := disk.Lstat(d.Path(LeftoverPath(info.TaskName))); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if data, err = json.Marshal(info.Outputs); err == nil {
			_ = d.WriteFile(LeftoverPath(info.TaskName), data) // without it the next run warns
		}
	}
}

// Clean removes .same/store. If all is true, it also removes .same/cache, the stat
// cache, .same/local/aside and the directories that a Remover has moved. The outputs
// in the workspace stay, and are still known as the tasks' own.
//
// If a run is under way, Clean calls waiting and waits for its end. It keeps the lock
// file, on which other processes may be waiting. A link at .same or .same/local is a
// LinkError; a link at .same/store or .same/cache is removed.
func (d *Dir) Clean(ctx context.Context, all bool, waiting func(*LockedError), warnf func(format string, args ...any)) error {
	if err := d.checkLinks([]string{Name, Local}); err != nil {
		return err
	}
	lock, err := d.Lock(ctx, waiting)
	switch {
	case err == nil:
		defer lock.Unlock()
		defer func() { _ = d.ClearTemp() }()
		_ = d.IgnoreInGit() // of the lock that was just made
	case ctx.Err() != nil, errors.Is(err, ErrOwnTask):
		return err
	} // otherwise .same can't be locked, or can't be written and the removal fails
	if err := d.Unseal(); err != nil {
		return err
	}
	same, err := OpenSame(d.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer same.Close()
	d.recordOutputs(same)
	r := &Remover{same: same, unbounded: all}
	_, err = r.Remove(same, Rel(Store))
	if !all {
		r.Warn(warnf)
		return err
	}
	_, cacheErr := r.Remove(same, Rel(Cache))
	return errors.Join(err, cacheErr, d.Remove(StatCache), removeRefused(same))
}

// removeRefused removes the directories that Removers and runs have moved, and
// clocks. It continues after an error, and returns all errors.
func removeRefused(same *disk.Dir) error {
	local, err := same.OpenDir(Rel(Local))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer local.Close()
	items, err := local.List()
	for _, it := range items {
		if Refused(it.Name) || it.Name == path.Base(Aside) {
			_, removeErr := local.RemoveUnbounded(it.Name)
			err = errors.Join(err, removeErr)
		}
	}
	return errors.Join(err, removeClocks(local))
}

// Refused reports whether name, in .same/local, is that of a directory that a Remover
// has moved there.
func Refused(name string) bool { return strings.HasPrefix(name, path.Base(refusedPrefix)) }
