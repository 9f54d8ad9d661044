package dotsame

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

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
		var at *fs.PathError
		if errors.As(reason, &at) {
			reason = at.Err
		}
		r.warning = fmt.Sprintf("%s can't be removed: %v; it is now %s", message.Quote(Name+"/"+path), reason, as)
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

// ClearTemp removes the temporary files of killed runs. It does not follow a link
// at .same/local. The caller must hold the run lock.
func (d *Dir) ClearTemp() error {
	same, err := OpenSame(d.root)
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
	return err
}

// Clean removes .same/store. If all is true, it also removes .same/cache, the stat
// cache and the directories that a Remover has moved, whatever is in them. If a
// run is under way, Clean calls waiting and waits for its end. The lock file
// stays: others may wait for it. A link at .same or .same/local is a LinkError, and
// one at .same/store or .same/cache is removed.
func (d *Dir) Clean(ctx context.Context, all bool, waiting func(*LockedError), warnf func(format string, args ...any)) error {
	if err := d.checkLinks([]string{Name, Local}); err != nil {
		return err
	}
	lock, err := d.Lock(ctx, waiting)
	switch {
	case err == nil:
		defer lock.Unlock()
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
	r := &Remover{same: same, unbounded: all}
	_, err = r.Remove(same, Rel(Store))
	if !all {
		r.Warn(warnf)
		return err
	}
	_, cacheErr := r.Remove(same, Rel(Cache))
	return errors.Join(err, cacheErr, d.Remove(StatCache), removeRefused(same))
}

// removeRefused removes what Removers have moved. It removes all that it can, and
// returns the errors about the rest.
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
		if Refused(it.Name) {
			_, removeErr := local.RemoveUnbounded(it.Name)
			err = errors.Join(err, removeErr)
		}
	}
	return err
}

// Refused reports whether name, in .same/local, is that of a directory which a
// Remover has moved there.
func Refused(name string) bool { return strings.HasPrefix(name, path.Base(refusedPrefix)) }
