// Package engine runs the tasks of a workspace in order, skips those whose
// inputs have not changed, and brings back what skipped tasks made.
package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"
	"syscall"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
	"cachekey/internal/nixenv"
)

// A Resolver knows what tools are and gives the environment that has them.
// *nixenv.Resolver is one.
type Resolver interface {
	Resolve(ctx context.Context, tools map[string]string) (nixenv.Resolution, error)
	Environment(ctx context.Context, tools map[string]string, resolution nixenv.Resolution) ([]string, error)
}

var _ Resolver = (*nixenv.Resolver)(nil)

// A Runner runs or plans the tasks of one workspace, once.
type Runner struct {
	Workspace *manifest.Workspace
	Resolver  Resolver
	System    string // Nix's: x86_64-linux
	Own       string // the path of the program same, which is no part of a toolchain

	Jobs      int           // tasks at once; 0 for one a core
	KeepGoing bool          // a failure stops only what depends on it
	Grace     time.Duration // what an interrupted task has to clean up after itself; 0 for 10 s
	NoCache   bool          // nothing is taken from the store; everything runs
	PassEnv   []string      // more variables that tasks see, outside every input hash

	LookupEnv func(string) (string, bool)
	Report    Reporter
	Warnf     func(format string, args ...any)

	dir      *dotsame.Dir
	root     *disk.Dir // the workspace's
	files    *files.Index
	makers   map[string]string // target → the task that makes it
	held     *os.File          // the lock of runs, which every task has open; nil if there is none
	aside    string            // where this run puts what is in the way
	warning  sync.Mutex
	readOnly bool      // nothing below .same is to be written
	unsaved  sync.Once // says once that nothing can be remembered

	// inherited is partPath: the same for every task, and two stats for each
	// entry of PATH.
	inherited func() digest.Digest
}

// warnf tells people of something that does not stop the run.
func (r *Runner) warnf(format string, args ...any) {
	r.warning.Lock()
	defer r.warning.Unlock()
	r.Warnf(format, args...)
}

// open makes ready what Run and Plan have in common.
func (r *Runner) open() (err error) {
	if r.Jobs <= 0 {
		r.Jobs = runtime.GOMAXPROCS(0)
	}
	if r.Grace <= 0 {
		r.Grace = defaultGrace
	}
	r.makers = make(map[string]string)
	for _, t := range r.Workspace.Tasks {
		for _, target := range t.Targets {
			r.makers[target] = t.Name
		}
	}
	r.inherited = sync.OnceValue(func() digest.Digest {
		path, _ := r.LookupEnv("PATH")
		return parts('p', storeEntries(path, r.Own)...)
	})
	r.aside = path.Join(dotsame.Local, "aside", time.Now().UTC().Format("20060102T150405.000"))
	if r.root, err = disk.OpenRoot(r.Workspace.Root); err != nil {
		return err
	}
	if r.files, err = files.New(r.Workspace.Root, r.dir.Path(dotsame.Local)); err != nil {
		r.root.Close()
		return err
	}
	data, err := r.dir.ReadFile(dotsame.StatCache, files.MaxCache)
	if err == nil {
		err = r.files.Load(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.warnf("%s: %v; every input is read again", dotsame.StatCache, err)
	}
	return nil
}

// close saves what was hashed and lets go of the index.
func (r *Runner) close() {
	if r.files.Dirty() && !r.readOnly {
		err := r.dir.Create(dotsame.StatCache, 0o644, func(f *os.File) error { return r.files.Save(f) })
		if err != nil {
			r.cannotRemember(err)
		}
	}
	_ = r.files.Close() // it was only read
	r.root.Close()
}

// cannotRemember says that err keeps a task's success, or all there is to
// remember, out of .same. Of a .same that can't be written it says so once; the
// tasks themselves go on.
func (r *Runner) cannotRemember(err error) {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		r.warnf("%v; it will run again next time", err)
		return
	}
	r.unsaved.Do(func() { r.warnf("nothing can be remembered for the next run: %v", err) })
}

// under says whether p is one of targets or below one of them.
func under(p string, targets []string) bool {
	for _, target := range targets {
		if p == target || len(p) > len(target) && p[len(target)] == '/' && p[:len(target)] == target {
			return true
		}
	}
	return false
}

// scan gives what lies at t's targets. Of a target that is not there it gives
// an error.
func (r *Runner) scan(ctx context.Context, t *manifest.Task) ([]dotsame.Output, error) {
	outputs, missing, err := r.scanPresent(ctx, t)
	if err == nil {
		err = missing
	}
	return outputs, err
}
