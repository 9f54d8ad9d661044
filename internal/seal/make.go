package seal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cachekey/internal/disk"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// MakeOptions say what Make seals.
type MakeOptions struct {
	Root  string        // the workspace root: .same lies in it
	Doc   *key.Document // of the key under which the cache is saved
	Key   *MACKey       // nil for a seal without a MAC
	Warnf func(format string, args ...any)
	// Progress, if it is not nil, is told how many files are digested, of how many bytes.
	Progress func(files, bytes int64)
}

// Sealed counts what a seal vouches for.
type Sealed struct {
	Files int64
	Bytes int64
}

// Make writes .same/seal.json: last, whole and at once, or not at all. What a
// seal can't hold is left out with a warning; Verify removes it after a restore.
func Make(ctx context.Context, o MakeOptions) (Sealed, error) {
	if o.Doc.System == "" || o.Doc.Ingredient("locks") == nil {
		return Sealed{}, message.WithHint(errors.New("the key's document names no system or no locks"),
			"make one with: cachekey key --json")
	}
	same := filepath.Join(o.Root, ".same")
	if err := os.Mkdir(same, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return Sealed{}, err
	}
	dir, err := disk.Open(same)
	if err != nil {
		return Sealed{}, message.WithHint(fmt.Errorf("sealing: %w", err), "%s must be a directory, not a link to one", same)
	}
	defer dir.Close()

	var made Sealed
	err = dir.WriteAtomic("seal.json", disk.Sync, func(f *os.File) error {
		w, err := NewWriter(f, o.Doc, o.Key)
		if err != nil {
			return err
		}
		if err := sealTrees(ctx, dir, w, o, &made); err != nil {
			return err
		}
		return w.Close()
	})
	return made, err
}

func sealTrees(ctx context.Context, dir *disk.Dir, w *Writer, o MakeOptions, made *Sealed) error {
	entries := 0
	produce := func(p *pipeline) error {
		visit := func(e disk.Entry) (bool, error) {
			t := task{path: e.Path, kind: e.Kind}
			switch {
			case !fits(e.Path):
				t.what = "its name does not fit into a seal"
			case e.Kind == disk.File:
				t.dir, t.name = e.Dir, e.Name
			case e.Kind != disk.Directory:
				t.what = "it is " + e.Kind.String()
			}
			return e.Kind == disk.Directory && t.what == "", p.add(t)
		}
		return walkRoots(dir, visit, func(e disk.Entry, err error) error { return err })
	}
	consume := func(t *task) error {
		if t.err != nil {
			return fmt.Errorf("sealing: %w", t.err)
		}
		switch {
		case t.what != "":
		case t.kind == disk.File && t.info.Kind() != disk.File:
			t.what = "it is " + t.info.Kind().String()
		case t.info.SetID():
			t.what = "it is a set-id file"
		case t.info.Size > MaxFileSize:
			t.what = fmt.Sprintf("it has %d bytes, a seal takes %d", t.info.Size, int64(MaxFileSize))
		}
		if t.what != "" {
			o.Warnf("not sealed: %s: %s", message.Quote(".same/"+t.path), t.what)
			return nil
		}
		if t.kind == disk.File {
			made.Files++
			made.Bytes += t.got.Size
			if o.Progress != nil {
				o.Progress(made.Files, made.Bytes)
			}
		}
		if entries++; entries > MaxEntries || made.Bytes > MaxTotalSize {
			return message.WithHint(fmt.Errorf("sealing: more than %d entries or %d bytes", MaxEntries, int64(MaxTotalSize)),
				"cachekey prune removes what the workspace does not refer to")
		}
		w.Add(Entry{Path: t.path, Dir: t.kind == disk.Directory, Size: t.got.Size, Digest: t.got.Digest})
		return nil
	}
	return run(ctx, produce, consume)
}

// walkRoots visits the sealed directories and everything below them.
func walkRoots(dir *disk.Dir, visit func(disk.Entry) (bool, error), unreadable func(disk.Entry, error) error) error {
	for _, root := range roots {
		if err := dir.Walk(root, visit, unreadable); err != nil {
			return err
		}
	}
	return nil
}
