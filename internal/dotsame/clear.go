package dotsame

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"cachekey/internal/disk"
)

// Clean removes .same/store and, if all is true, .same/cache and the stat cache
// too, whatever a restored cache has put there. If a run is under way, Clean
// calls waiting and waits for its end. The lock file stays: others may wait
// for it.
func (d *Dir) Clean(ctx context.Context, all bool, waiting func(*LockedError)) error {
	lock, err := d.Lock(ctx, waiting)
	switch {
	case err == nil:
		defer lock.Unlock()
	case ctx.Err() != nil, errors.Is(err, ErrOwnTask):
		return err
	} // otherwise .same can't be locked, or can't be written and the removal fails
	if err := d.Unseal(); err != nil {
		return err
	}
	same, err := disk.OpenRoot(d.Path(Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer same.Close()
	names := []string{Store}
	if all {
		names = append(names, Cache)
	}
	var failed []error
	for _, name := range names {
		_, err := same.Remove(strings.TrimPrefix(name, Name+"/"))
		failed = append(failed, err)
	}
	if all {
		failed = append(failed, d.Remove(StatCache))
	}
	return errors.Join(failed...)
}
