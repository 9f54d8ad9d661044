// Package engine decides which tasks of a workspace have to run, runs them, and
// restores the outputs of those that it skips.
//
// The steps of one task, and the file of each:
//
//	run.go      its dependencies are done, so it is its turn
//	inputs.go   its input files are found, and hashed with its other inputs
//	decide.go   a result of inputs with this hash is looked up
//	restore.go  found: outputs that are missing or differ are restored (trees.go)
//	targets.go  not found: its targets are emptied,
//	execute.go  its command is run (group.go: with all of its processes),
//	outputs.go  and its outputs are stored, with what it printed (log.go)
//	lines.go    each step is printed
//
// plan.go decides about every task, and does not do the other steps. collect.go removes
// old results at the end of a run.
package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
	"cachekey/internal/nixenv"
)

// A Config says which workspace to work in, and how.
type Config struct {
	Workspace *manifest.Workspace
	Resolver  Resolver // of the tasks' tools
	System    string   // as Nix names it: x86_64-linux
	Own       string   // the path of the running program, which is not part of a toolchain
	Store     string   // where results are shared with other workspaces: see dotsame.SharedStore

	Jobs      int             // how many tasks run concurrently; 0 for one per core
	KeepGoing bool            // after a failure, only the tasks that depend on it do not run
	Grace     time.Duration   // how long an interrupted task may take to end; 0 means 10 s
	Kill      <-chan struct{} // closed when interrupted tasks are to be killed before that
	NoCache   bool            // run every task, whatever the store has
	PassEnv   []string        // more variables that tasks see, outside every input hash

	LookupEnv func(string) (string, bool)
	Report    Reporter // prints a run; Plan does not use it
	Warnf     func(format string, args ...any)
}

// A Resolver resolves the tools of a task, and makes an environment that has them on
// its PATH. Prepare announces the sets of tools that Resolve will be called with.
type Resolver interface {
	Prepare(ctx context.Context, sets []map[string]string) (stop func())
	Resolve(ctx context.Context, tools map[string]string) (nixenv.Resolution, error)
	Environment(ctx context.Context, tools map[string]string, resolution nixenv.Resolution) ([]string, error)
}

var _ Resolver = (*nixenv.Resolver)(nil)

// A session is the state of one call of Run or Plan.
type session struct {
	Config
	dry      bool // for a plan: change nothing, and list every reason
	dir      *dotsame.Dir
	root     *disk.Dir // the workspace's
	realRoot func() string
	files    *files.Index
	system   *files.Index // of programs outside the workspace: its root is /
	programs atomic.Pointer[programs]

	toolchains toolchains
	ahead      sync.Map                    // by *manifest.Task: the build info that readAhead has read
	stopTools  func()                      // ends the work of Resolver.Prepare
	makers     map[string]*manifest.Task   // by target
	graph      func() *manifest.Graph      // of all tasks
	results    func() []*dotsame.BuildInfo // those that can be restored, without their outputs
	lockFile   *os.File                    // inherited by every task; nil without a lock
	groups     groups                      // of the tasks' processes
	aside      string                      // where this run moves files that are in the way
	noTrees    atomic.Bool                 // a target is on another file system than .same: see tree
	helpers    chan struct{}               // has one for each goroutine that parallel has started

	// storePath is the digest of PATH's Nix store entries. It is the same for
	// every task, and takes two stats an entry.
	storePath func() digest.Digest

	warning  sync.Mutex
	unstored sync.Once // for the one warning about a .same that can't be written

	otherVersion sync.Once // for the one warning about results of another version of same
}

func newSession(c Config) *session {
	if c.Jobs <= 0 {
		c.Jobs = runtime.GOMAXPROCS(0)
	}
	if c.Grace <= 0 {
		c.Grace = defaultGrace
	}
	s := &session{
		Config:  c,
		dir:     dotsame.OpenShared(c.Workspace.Root, c.Store),
		makers:  make(map[string]*manifest.Task),
		helpers: make(chan struct{}, runtime.GOMAXPROCS(0)-1),
		aside:   path.Join(dotsame.Aside, time.Now().UTC().Format(dotsame.AsideTime)),
	}
	for _, t := range c.Workspace.Tasks {
		for _, target := range t.Targets {
			s.makers[target] = t
		}
	}
	s.graph = sync.OnceValue(func() *manifest.Graph { return manifest.NewGraph(c.Workspace.Tasks) })
	s.results = sync.OnceValue(func() (all []*dotsame.BuildInfo) {
		s.dir.EachResult(func(r *dotsame.BuildInfo) {
			for _, o := range r.Outputs {
				if o.Type == dotsame.TypeFile && !s.dir.HasBlob(o.Digest, o.Size) {
					return
				}
			}
			all = append(all, &dotsame.BuildInfo{Recipe: r.Recipe, Depends: r.Depends})
		})
		return all
	})
	s.programChanged()
	s.realRoot = sync.OnceValue(func() string {
		real, err := filepath.EvalSymlinks(c.Workspace.Root)
		if err != nil {
			return c.Workspace.Root
		}
		return real
	})
	s.storePath = sync.OnceValue(func() digest.Digest {
		path, _ := c.LookupEnv("PATH")
		return parts('p', storeEntries(path, c.Own)...)
	})
	return s
}

// lock makes this the only run of its workspace. It waits for another run, and
// for tasks that a killed run has left running: they may write to the same
// targets. A .same that cannot be written needs no lock.
func (s *session) lock(ctx context.Context) (unlock func(), err error) {
	lock, err := s.dir.Lock(ctx, s.Report.Waiting)
	switch {
	case err == nil:
		s.lockFile = lock.File()
		return lock.Unlock, nil
	case ctx.Err() != nil, errors.Is(err, dotsame.ErrOwnTask):
		return nil, err
	case errors.Is(err, dotsame.ErrNoLocks):
		s.warnf("%v; do not run same twice concurrently here", err)
	default:
		s.cannotStore(err)
	}
	return func() {}, nil
}

// open opens the workspace and reads the stat caches.
func (s *session) open() (err error) {
	if s.root, err = disk.OpenRoot(s.Workspace.Root); err != nil {
		return err
	}
	if s.files, err = s.index(s.Workspace.Root, dotsame.StatCache); err != nil {
		s.root.Close()
		return err
	}
	if s.system, err = s.index("/", dotsame.ProgramCache); err != nil {
		_ = s.files.Close()
		s.root.Close()
	}
	return err
}

// index returns the index of the files below root, with their cached digests.
func (s *session) index(root, cache string) (*files.Index, error) {
	x, err := files.New(root, s.dir.Path(dotsame.Local))
	if err != nil {
		return nil, err
	}
	data, err := s.dir.ReadFile(cache, files.MaxCache)
	if err == nil {
		err = x.Load(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.warnf("%s: %v; every input is read again", cache, err)
	}
	return x, nil
}

// close saves the stat caches, if save is true, and closes the workspace.
func (s *session) close(save bool) {
	s.toolchains.end()
	if s.stopTools != nil {
		s.stopTools()
	}
	for x, cache := range map[*files.Index]string{s.files: dotsame.StatCache, s.system: dotsame.ProgramCache} {
		if save && x.Dirty() {
			err := s.dir.Create(cache, 0o644, func(f *os.File) error { return x.Save(f) })
			if err != nil {
				s.cannotStore(err)
			}
		}
		_ = x.Close() // it was only read
	}
	if save {
		if err := s.dir.SaveProofs(); err != nil {
			s.cannotStore(err)
		}
	}
	s.root.Close()
}

// warnf prints a warning. It may be called concurrently.
func (s *session) warnf(format string, args ...any) {
	s.warning.Lock()
	defer s.warning.Unlock()
	s.Warnf(format, args...)
}

// cannotStore warns that a result is not stored because of err. If .same cannot be
// written at all, it warns only once; the tasks run anyway.
func (s *session) cannotStore(err error) {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		s.warnf("%v; it will run again next time", err)
		return
	}
	s.unstored.Do(func() { s.warnf("results can't be stored for the next run: %v", err) })
}

// dependsOn reports whether t depends on another task, directly or through others.
func (s *session) dependsOn(t, other *manifest.Task) bool {
	return s.graph().Depends(t.Name, other.Name)
}
