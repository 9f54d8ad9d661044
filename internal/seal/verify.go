package seal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// VerifyOptions are the options of Verify.
type VerifyOptions struct {
	Root   string // the workspace root, which contains .same
	System string // the system that the seal must be for
	Locks  string // the digest of the locks that the seal must be for
	Head   string // of the key that the seal must be for: prefix, schema, extras and system; "" for any
	Key    *MACKey
	Deep   bool // also hash the blobs
	// Report is called with every difference from the seal, in the order of a walk.
	Report func(Finding)
	Warnf  func(format string, args ...any)
	// Progress, if not nil, is called with the number of files verified so far and
	// their bytes.
	Progress func(files, bytes int64)
}

// A Finding is a difference from the seal. Unless it is missing, it has been removed.
type Finding struct {
	Path    string // relative to the workspace root
	Problem string // a clause: "it is not in the seal"
	Missing bool   // there was nothing to remove
	Entries int64  // files and directories removed
}

// String returns a line for a log, which no file name can break or forge.
func (f Finding) String() string {
	what := "removed"
	if f.Missing {
		what = "missing"
	}
	return what + " " + message.Quote(f.Path) + ": " + f.Problem
}

// The states of .same after Verify.
const (
	Whole   = "whole"   // it matched the seal exactly
	Partial = "partial" // a part of what was sealed is left
	None    = "none"    // nothing is left: a cache miss
)

// A Verdict is the result of Verify.
type Verdict struct {
	State        string        `json:"state"`
	Reason       string        `json:"reason"` // why everything was removed; "" if it was not
	Kept         int64         `json:"kept"`   // files
	KeptBytes    int64         `json:"keptBytes"`
	Removed      int64         `json:"removed"` // files and directories
	RemovedBytes int64         `json:"removedBytes"`
	Missing      int64         `json:"missing"` // files and directories that are in the seal but do not exist
	Key          *key.Document `json:"key"`     // under which .same was saved; null if the seal was refused
}

// Flawed reports whether the restored files differ from the seal.
func (v *Verdict) Flawed() bool { return v.Reason != "" || v.Removed > 0 || v.Missing > 0 }

// Verify checks the restored files below .same against the seal and removes what
// differs, or everything if the seal itself is invalid. A bad cache is not an
// error: an error means that something could not be checked or removed, and then
// nothing in .same may be used.
//
// Verify also clears .same/local except for the run lock, the files that a run
// moved aside and the directories that a dotsame.Remover moved there. It is never
// saved, so if it was restored it is forged.
//
// Of a blob, Verify checks the name, the type and the size. With Deep, it also hashes the
// blobs, and remembers that they are proven.
//
// Verify takes from group and others the permission to write to what it keeps: they
// could change it after it has been checked.
//
// Verify takes the run lock. If same is running, the error is a
// dotsame.LockedError, and there is no verdict.
func Verify(ctx context.Context, o VerifyOptions) (*Verdict, error) {
	return inSame(o.Root, o.Warnf, func(dir *disk.Dir, r *dotsame.Remover, v *Verdict) error {
		err := check(ctx, dir, r, o, v)
		var refused refusal
		if errors.As(err, &refused) {
			err = empty(dir, r, v, refused.Error())
		}
		return err
	})
}

// Empty removes everything that may have been restored. Reason becomes the
// verdict's.
func Empty(root, reason string, warnf func(format string, args ...any)) (*Verdict, error) {
	return inSame(root, warnf, func(dir *disk.Dir, r *dotsame.Remover, v *Verdict) error {
		return empty(dir, r, v, reason)
	})
}

// inSame calls do with .same and the verdict that it is to complete, unless there is
// nothing to check. It holds the run lock, clears .same/local before, and records
// the verdict after.
func inSame(root string, warnf func(format string, args ...any), do func(*disk.Dir, *dotsame.Remover, *Verdict) error) (*Verdict, error) {
	v := &Verdict{State: None}
	dir, err := openSame(root, v)
	if dir == nil || err != nil {
		return v, err
	}
	defer dir.Close()
	r := dotsame.NewRemover(dir)
	defer r.Warn(warnf)
	// The lock is in .same/local, which may be anything.
	local := dotsame.Rel(dotsame.Local)
	if info, err := dir.Lstat(local); err == nil && info.Kind() != disk.Directory {
		if _, err := r.Remove(dir, local); err != nil {
			return v, err
		}
	}
	lock, err := dotsame.Open(root).TryLock()
	switch {
	case err == nil:
		defer lock.Unlock()
	case errors.As(err, new(*dotsame.LockedError)):
		return nil, err
	} // otherwise .same can't be locked, or can't be written
	dir.Protect(local)
	if err := errors.Join(clearLocal(dir, r), do(dir, r, v)); err != nil {
		v.State = None
		return v, err
	}
	if err := record(dir, v); err != nil {
		warnf("the result is not saved for a summary: %v", err)
	}
	return v, nil
}

// openSame opens .same. It returns nil if .same does not exist, and removes it if
// it is not a directory.
func openSame(root string, v *Verdict) (*disk.Dir, error) {
	parent, err := disk.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	info, err := parent.Lstat(dotsame.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Kind() == disk.Directory {
		parent.Protect(dotsame.Name)
		return parent.OpenOwn(dotsame.Name)
	}
	v.Reason = dotsame.Name + " is " + info.Kind().String()
	removed, err := parent.Remove(dotsame.Name)
	v.Removed, v.RemovedBytes = removed.Entries, removed.Bytes
	return nil, err
}

// empty removes the seal and the sealed directories.
func empty(dir *disk.Dir, r *dotsame.Remover, v *Verdict, reason string) error {
	*v = Verdict{State: None, Removed: v.Removed, RemovedBytes: v.RemovedBytes}
	var failed error
	for _, name := range append([]string{dotsame.Rel(dotsame.Seal)}, roots...) {
		removed, err := r.Remove(dir, name)
		failed = errors.Join(failed, err)
		v.Removed += removed.Entries
		v.RemovedBytes += removed.Bytes
	}
	if v.Removed > 0 || reason != noSeal {
		v.Reason = reason
	}
	return failed
}

// A refusal is an error because of which everything must be removed.
type refusal struct{ error }

const noSeal = "there is no seal"

// invalid returns the refusal for an error of a Reader, or nil.
func invalid(err error) error {
	if err == nil {
		return nil
	}
	return refusal{fmt.Errorf("invalid seal: %w", err)}
}

// check compares the disk with the seal and removes what differs.
func check(ctx context.Context, dir *disk.Dir, remover *dotsame.Remover, o VerifyOptions, v *Verdict) error {
	f, err := openSeal(dir)
	if err != nil {
		return err
	}
	defer f.Close()

	// The sums are at the end of the seal and must be right before any of it is used.
	r, err := NewReader(f, o.Key)
	if err == nil {
		err = r.Check()
	}
	if err != nil {
		return invalid(err)
	}
	if err := checkKey(&r.Doc, o.System, o.Locks, o.Head); err != nil {
		return refusal{err}
	}
	if r.Keyed && o.Key == nil {
		o.Warnf("the MAC of the seal is not checked because %s is not set", SecretVariable)
	}
	v.Key = &r.Doc

	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if r, err = NewReader(f, o.Key); err != nil {
		return invalid(err)
	}
	r.doc = nil // it has been decoded
	m := &merge{VerifyOptions: o, seal: r, dir: dir, remover: remover, verdict: v}
	if same := dotsame.Open(o.Root); o.Deep {
		m.proofs = same.Proofs() // before anything is hashed
		defer func() { _ = same.SaveProofs() }()
	}
	if err := run(ctx, m.produce, m.consume); err != nil {
		return err
	}
	if err := m.removeLinks(); err != nil {
		return err
	}
	switch {
	case v.Kept == 0:
		v.State = None
	case v.Flawed():
		v.State = Partial
	default:
		v.State = Whole
	}
	return nil
}

// openSeal opens the seal, which must be a regular file.
func openSeal(dir *disk.Dir) (*os.File, error) {
	fd, info, err := dir.Open(dotsame.Rel(dotsame.Seal))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refusal{errors.New(noSeal)}
	}
	if err != nil {
		return nil, refusal{fmt.Errorf("the seal can't be read: %s", disk.Reason(err))}
	}
	f := os.NewFile(uintptr(fd), dotsame.Seal)
	if info.Kind() != disk.File {
		f.Close()
		return nil, refusal{errors.New("the seal is " + info.Kind().String())}
	}
	if info.Size > maxSeal {
		f.Close()
		return nil, refusal{fmt.Errorf("the seal has %d bytes, more than the limit of %d", info.Size, int64(maxSeal))}
	}
	disk.ProtectFD(fd, info)
	return f, nil
}

// clearLocal empties .same/local, as Verify says.
func clearLocal(dir *disk.Dir, r *dotsame.Remover) error {
	local, err := dir.OpenDir(dotsame.Rel(dotsame.Local))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var items []disk.Item
	if err == nil {
		defer local.Close()
		items, err = local.List()
	}
	if err != nil {
		_, err := r.Remove(dir, dotsame.Rel(dotsame.Local))
		return err
	}
	for _, it := range items {
		p := path.Join(dotsame.Rel(dotsame.Local), it.Name)
		info, _ := local.Lstat(it.Name)
		switch {
		case p == dotsame.Rel(dotsame.RunLock) && it.Kind == disk.File && info.Links == 1, // waiting processes have it open
			p == dotsame.Rel(dotsame.Aside) && it.Kind == disk.Directory, // it may be somebody's work
			dotsame.Refused(it.Name) && it.Kind == disk.Directory:
			continue
		}
		if _, err := r.Remove(local, p); err != nil {
			return err
		}
	}
	return nil
}

// record saves v for Restored.
func record(dir *disk.Dir, v *Verdict) error {
	local, err := dir.MakeDir(dotsame.Rel(dotsame.Local))
	if err != nil {
		return err
	}
	defer local.Close()
	return local.WriteAtomic(path.Base(dotsame.Restored), disk.NoSync, func(f *os.File) error {
		return json.NewEncoder(f).Encode(v)
	})
}

// Restored returns the verdict of the last Verify in the workspace at root, or nil
// if there was none. It does not need the seal, which a run removes.
func Restored(root string) (*Verdict, error) {
	parent, err := disk.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	var data []byte
	dir, err := parent.Reach(dotsame.Local)
	if err == nil {
		defer dir.Close()
		data, err = dir.ReadFile(path.Base(dotsame.Restored), maxHeader+1<<20)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := &Verdict{}
	if err := disk.DecodeJSON(data, v); err != nil {
		return nil, fmt.Errorf("reading %s: %w", dotsame.Restored, err)
	}
	return v, nil
}
