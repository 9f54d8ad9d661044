package dotsame

import (
	"errors"
	"io/fs"
	"strings"

	"cachekey/internal/disk"
)

// Clear removes .same/store and, if all is true, .same/cache and the stat cache
// too, whatever a cache has brought there. The lock of runs stays: somebody may
// wait for it.
func (d *Dir) Clear(all bool) error {
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
