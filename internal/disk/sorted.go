package disk

import (
	"cmp"
	"errors"
	"io"
	"iter"
	"slices"

	"golang.org/x/sys/unix"
)

// MaxNames is how many entries of one directory Sorted gives before it refuses
// the directory: more than any cache has, few enough to bound its disk space.
const MaxNames = 8_000_000

// ErrTooMany says that a directory has more than MaxNames entries.
var ErrTooMany = errors.New("too many entries in one directory")

// An Item is a name in a directory and what the directory says that it is.
type Item struct {
	Name string
	Kind Kind
}

// runBytes is how many bytes of names are sorted in memory at once: 4 MiB.
// What is beyond goes to a temporary file in sorted runs, which are merged.
var runBytes = 4 << 20

// Sorted gives the entries of d in bytewise order of their names. It reads the whole
// directory before it gives the first, so the caller may remove what it is given.
func (d *Dir) Sorted() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		var runs spill
		defer runs.close()
		var run []Item
		size, total := 0, 0
		err := d.each(func(it Item) error {
			if total++; total > MaxNames {
				return d.wrong("list", ".", ErrTooMany)
			}
			run = append(run, it)
			if size += len(it.Name) + 32; size < runBytes {
				return nil
			}
			sortItems(run)
			err := runs.write(run)
			run, size = run[:0], 0
			return err
		})
		if err != nil {
			yield(Item{}, err)
			return
		}
		sortItems(run)
		if runs.empty() {
			for _, it := range run {
				if !yield(it, nil) {
					return
				}
			}
			return
		}
		if err := runs.write(run); err != nil {
			yield(Item{}, err)
			return
		}
		run = nil
		runs.merge(yield)
	}
}

func sortItems(items []Item) {
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Name, b.Name) })
}

// each calls do with every entry of d, in the order in which the system has them.
func (d *Dir) each(do func(Item) error) error {
	if _, err := unix.Seek(d.fd, 0, io.SeekStart); err != nil {
		return d.wrong("list", ".", err)
	}
	for {
		// ReadDir takes types from the listing and asks for each only where
		// the file system does not tell.
		entries, err := d.f.ReadDir(1024)
		for _, e := range entries {
			if err := do(Item{e.Name(), kindOf(e.Type())}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
