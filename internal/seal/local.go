package seal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"cachekey/internal/disk"
)

// The files of .same/local that matter here.
const (
	lockName     = "lock"          // of runs: whoever waits for it must find it
	asideName    = "aside"         // what the runner put out of its way: it may be somebody's work
	restoredName = "restored.json" // the Verdict of the last Verify
)

// clearLocal removes what .same/local holds but the lock, and what was put aside.
func clearLocal(dir *disk.Dir) error {
	info, err := dir.Lstat("local")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Kind() != disk.Directory {
		_, err := dir.Remove("local")
		return err
	}
	local, err := dir.OpenDir("local")
	if err != nil {
		_, err := dir.Remove("local")
		return err
	}
	defer local.Close()
	items, err := local.List()
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.Name == lockName && it.Kind == disk.File || it.Name == asideName && it.Kind == disk.Directory {
			continue
		}
		if _, err := local.Remove(it.Name); err != nil {
			return err
		}
	}
	return nil
}

// remember keeps v for Restored.
func remember(dir *disk.Dir, v *Verdict) error {
	local, err := dir.MakeDir("local")
	if err != nil {
		return err
	}
	defer local.Close()
	return local.WriteAtomic(restoredName, disk.NoSync, func(f *os.File) error {
		return json.NewEncoder(f).Encode(v)
	})
}

// Restored gives what the last Verify in the workspace at root found, also after a run
// has removed the seal. It is nil if there was none.
func Restored(root string) (*Verdict, error) {
	parent, err := disk.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	dir, err := parent.Reach(".same/local")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	data, err := dir.ReadFile(restoredName, maxHeader+1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := &Verdict{}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir.Path()+"/"+restoredName, err)
	}
	return v, nil
}
