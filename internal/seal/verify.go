package seal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"cachekey/internal/disk"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// VerifyOptions say what Verify checks and against what.
type VerifyOptions struct {
	Root   string // the workspace root: .same lies in it
	System string // this checkout's, which the seal's must be
	Locks  string // this checkout's digest of the locks, which the seal's must be
	Key    *MACKey
	// Report is told of everything that was wrong, in the order of a walk.
	Report func(Finding)
	Warnf  func(format string, args ...any)
	// Progress, if it is not nil, is told how many files are found to be as sealed, of how many bytes.
	Progress func(files, bytes int64)
}

// A Finding is something that was not as sealed. What was there has been removed.
type Finding struct {
	Path    string // relative to the workspace root
	Problem string // a clause: "it is not in the seal"
	Missing bool   // whether there was nothing to remove
	Entries int64  // how many files and directories were removed
}

// String gives one line for a log, which no name can break or forge.
func (f Finding) String() string {
	what := "removed"
	if f.Missing {
		what = "missing"
	}
	return what + " " + message.Quote(f.Path) + ": " + f.Problem
}

// The states of a cache after Verify.
const (
	Whole   = "whole"   // everything that was sealed is there, and nothing else
	Partial = "partial" // something is there, all of it sealed
	None    = "none"    // nothing is there: a clean miss
)

// A Verdict is what Verify found.
type Verdict struct {
	State        string        `json:"state"`
	Reason       string        `json:"reason"` // why the cache as a whole was refused; "" if it was not
	Kept         int64         `json:"kept"`   // files
	KeptBytes    int64         `json:"keptBytes"`
	Removed      int64         `json:"removed"` // files and directories
	RemovedBytes int64         `json:"removedBytes"`
	Missing      int64         `json:"missing"` // files and directories that were sealed and are not there
	Key          *key.Document `json:"key"`     // under which the cache was saved; null if the seal was refused
}

// Flawed says whether anything was wrong with what was restored.
func (v *Verdict) Flawed() bool { return v.Reason != "" || v.Removed > 0 || v.Missing > 0 }

// Verify checks what was restored below .same against its seal, and removes what
// the seal does not vouch for: all of it, if the seal itself is not to be
// trusted. An error means that something could not be checked or removed, and then nothing
// of it may be used; a bad cache is no error.
//
// What .same/local holds goes too, but for the lock of runs and what the runner put
// aside: it is never carried, so if a restore brought it, it only pretends to be
// this machine's.
func Verify(ctx context.Context, o VerifyOptions) (*Verdict, error) {
	v := &Verdict{State: None}
	dir, err := openSame(o.Root, v)
	if dir == nil || err != nil {
		return v, err
	}
	defer dir.Close()
	if err := clearLocal(dir); err != nil {
		return v, err
	}
	if err := check(ctx, dir, o, v); err != nil {
		var refused refusal
		if !errors.As(err, &refused) {
			return v, err
		}
		if err := empty(dir, v, refused.Error()); err != nil {
			return v, err
		}
	}
	if err := remember(dir, v); err != nil {
		o.Warnf("what was found here is not written down for a summary: %v", err)
	}
	return v, nil
}

// Empty removes everything that could have been restored, because of reason.
func Empty(root, reason string) (*Verdict, error) {
	v := &Verdict{State: None}
	dir, err := openSame(root, v)
	if dir == nil || err != nil {
		return v, err
	}
	defer dir.Close()
	return v, errors.Join(clearLocal(dir), empty(dir, v, reason), remember(dir, v))
}

// openSame opens .same. If it is not a directory it is removed; it is nil if there is none.
func openSame(root string, v *Verdict) (*disk.Dir, error) {
	parent, err := disk.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	info, err := parent.Lstat(".same")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Kind() == disk.Directory {
		return parent.OpenDir(".same")
	}
	v.Reason = ".same is " + info.Kind().String()
	gone, err := parent.Remove(".same")
	v.Removed, v.RemovedBytes = gone.Entries, gone.Bytes
	return nil, err
}

func empty(dir *disk.Dir, v *Verdict, reason string) error {
	*v = Verdict{State: None, Removed: v.Removed, RemovedBytes: v.RemovedBytes}
	var failed error
	for _, name := range append([]string{"seal.json"}, roots...) {
		gone, err := dir.Remove(name)
		failed = errors.Join(failed, err)
		v.Removed += gone.Entries
		v.RemovedBytes += gone.Bytes
	}
	if v.Removed > 0 || reason != noSeal {
		v.Reason = reason
	}
	return failed
}

// A refusal is why a cache as a whole can't be trusted.
type refusal struct{ error }

const noSeal = "there is no seal"

// check goes through seal and disk side by side.
func check(ctx context.Context, dir *disk.Dir, o VerifyOptions, v *Verdict) error {
	f, err := openSeal(dir)
	if err != nil {
		return err
	}
	defer f.Close()

	// First the sums: nothing that the seal says is believed before all of it is read.
	r, err := NewReader(f, o.Key)
	if err == nil {
		err = r.Check()
	}
	if err != nil {
		return refusal{fmt.Errorf("the seal is not to be trusted: %w", err)}
	}
	if err := belongs(&r.Doc, o.System, o.Locks); err != nil {
		return refusal{err}
	}
	if r.Keyed && o.Key == nil {
		o.Warnf("the seal has a MAC that can't be checked, because %s is not set: only its digests are", SecretVariable)
	}
	v.Key = &r.Doc

	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r, err = NewReader(f, o.Key)
	if err != nil {
		return refusal{fmt.Errorf("the seal is not to be trusted: %w", err)}
	}
	m := &merge{seal: r, dir: dir, o: o, v: v}
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

// openSeal opens .same/seal.json, which must be a regular file.
func openSeal(dir *disk.Dir) (*os.File, error) {
	fd, info, err := dir.Open("seal.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refusal{errors.New(noSeal)}
	}
	if err != nil {
		return nil, refusal{fmt.Errorf("the seal can't be read: %s", reason(err))}
	}
	f := os.NewFile(uintptr(fd), "seal.json")
	if info.Kind() != disk.File {
		f.Close()
		return nil, refusal{errors.New("the seal is " + info.Kind().String())}
	}
	return f, nil
}
