package seal

import (
	"context"
	"errors"
	"fmt"
	"os"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// MakeOptions are the options of Make.
type MakeOptions struct {
	Root  string        // the workspace root, which contains .same
	Doc   *key.Document // of the key under which .same is saved
	Key   *MACKey       // nil for a seal without a MAC
	Warnf func(format string, args ...any)
	// Progress, if not nil, is called with the number of files sealed so far and
	// their bytes.
	Progress func(files, bytes int64)
}

// Sealed counts the files in a seal.
type Sealed struct {
	Files int64
	Bytes int64
}

// Make writes .same/seal.json atomically. It warns about everything that cannot be
// sealed and that Verify will therefore remove. It takes the run lock, and fails if
// same is running.
func Make(ctx context.Context, o MakeOptions) (Sealed, error) {
	if o.Doc.System == "" || o.Doc.Ingredient("locks") == nil {
		return Sealed{}, message.WithHint(errors.New("the key's document has no system or no locks"),
			"make one with: cachekey key --json")
	}
	dir, err := dotsame.MakeSame(o.Root)
	if err != nil {
		return Sealed{}, fmt.Errorf("sealing: %w", err)
	}
	defer dir.Close()
	same := dotsame.Open(o.Root)
	if err := same.CheckLinks(); err != nil {
		return Sealed{}, err
	}
	lock, err := same.TryLock()
	switch {
	case err == nil:
		defer lock.Unlock()
	case !errors.Is(err, dotsame.ErrNoLocks):
		return Sealed{}, fmt.Errorf("sealing: %w", err)
	}
	m := &maker{MakeOptions: o, dir: dir, remover: dotsame.NewRemover(dir)}
	defer m.remover.Warn(o.Warnf)
	if info, err := dir.Lstat(dotsame.Rel(dotsame.Seal)); err == nil && info.Kind() == disk.Directory {
		if _, err := m.remover.Remove(dir, dotsame.Rel(dotsame.Seal)); err != nil {
			return Sealed{}, fmt.Errorf("sealing: %w", err)
		}
	}
	err = dir.WriteAtomic(dotsame.Rel(dotsame.Seal), disk.Sync, func(f *os.File) (err error) {
		doc := *o.Doc
		doc.Untracked, doc.UntrackedTruncated = nil, false // of this machine, not of the saved files
		if m.w, err = NewWriter(f, &doc, o.Key); err != nil {
			return err
		}
		if err := run(ctx, m.produce, m.consume); err != nil {
			return err
		}
		return m.w.Close()
	})
	return m.sealed, err
}

// A maker is the state of one call of Make.
type maker struct {
	MakeOptions
	dir     *disk.Dir
	remover *dotsame.Remover
	w       *Writer
	sealed  Sealed
	entries int
}

// produce adds a job for every entry of the sealed directories.
func (m *maker) produce(p *pipeline) error {
	visit := func(e disk.Entry) (enter bool, err error) {
		j := job{path: e.Path, kind: e.Kind}
		switch {
		case !validPath(e.Path):
			j.problem = "its name cannot be sealed"
		case e.Kind == disk.File:
			j.dir, j.name, j.blob = e.Dir, e.Name, isBlob(e.Path)
		case e.Kind != disk.Directory:
			j.problem = "it is " + e.Kind.String()
		}
		return e.Kind == disk.Directory && j.problem == "", p.add(j)
	}
	return walkRoots(m.dir, visit, func(e disk.Entry, err error) error {
		return p.add(job{dir: e.Dir, path: e.Path, problem: disk.Reason(err), err: err})
	})
}

// consume writes the entry of a finished job, or a warning.
func (m *maker) consume(j *job) error {
	var beyond *disk.BoundsError
	switch {
	case errors.As(j.err, &beyond): // a directory, which was added before it was listed
		m.w.Undo()
		return m.remover.Refuse(j.dir, j.path, j.err)
	case j.err != nil:
		return fmt.Errorf("sealing: %w", j.err)
	}
	switch {
	case j.problem != "":
	case j.kind == disk.File && j.info.Kind() != disk.File:
		j.problem = "it is " + j.info.Kind().String()
	case j.info.SetID():
		j.problem = "it is a set-id file"
	case j.info.Size > MaxFileSize:
		j.problem = fmt.Sprintf("it has %d bytes, more than the limit of %d", j.info.Size, int64(MaxFileSize))
	}
	if j.problem != "" {
		m.Warnf("not sealed: %s: %s", message.Quote(dotsame.Name+"/"+j.path), j.problem)
		return nil
	}
	if j.kind == disk.File {
		m.sealed.Files++
		m.sealed.Bytes += j.size
		if m.Progress != nil {
			m.Progress(m.sealed.Files, m.sealed.Bytes)
		}
	}
	if m.entries++; m.entries > MaxEntries || m.sealed.Bytes > MaxTotalSize {
		return message.WithHint(fmt.Errorf("sealing: more than %d entries or %d bytes", MaxEntries, int64(MaxTotalSize)),
			"cachekey prune removes the files that the workspace does not refer to")
	}
	m.w.Add(Entry{Path: j.path, Dir: j.kind == disk.Directory, Size: j.size, Digest: j.digest})
	return nil
}

// walkRoots visits the sealed directories that exist and everything below them.
func walkRoots(dir *disk.Dir, visit func(disk.Entry) (bool, error), unreadable func(disk.Entry, error) error) error {
	for _, root := range roots {
		if err := dir.Walk(root, visit, unreadable); err != nil {
			return err
		}
	}
	return nil
}
