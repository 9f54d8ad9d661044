package dotsame

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
)

// StoreVariable names a directory for the results, failures and blobs of a workspace
// in place of its own .same/store. If it is empty, they are its own.
const StoreVariable = "SAME_STORE"

// SharedStore returns the absolute path of the directory that has the results, failures
// and blobs of the workspace at root, as <dir>/results, <dir>/failed and <dir>/blobs. It
// is "" if that is the workspace's own .same/store.
//
// It is the directory that StoreVariable names, relative to dir. If the variable is not
// set and root is in a linked worktree of git, it is the .same/store at the same place of
// the main worktree, provided that exists, belongs to this user and can be written. An
// error means that StoreVariable names something else than a directory.
func SharedStore(root, dir string, lookup func(string) (string, bool)) (string, error) {
	store, set := lookup(StoreVariable)
	switch {
	case !set:
		return mainStore(root), nil
	case store == "":
		return "", nil
	}
	if !filepath.IsAbs(store) {
		store = filepath.Join(dir, store)
	}
	store, err := filepath.Abs(store)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(store); err == nil && !info.IsDir() {
		return "", fmt.Errorf("%s: %q is not a directory", StoreVariable, store)
	}
	own, err := os.Stat(Open(root).Path(Store))
	if other, otherErr := os.Stat(store); err == nil && otherErr == nil && os.SameFile(own, other) || store == Open(root).Path(Store) {
		return "", nil
	}
	return store, nil
}

// mainStore returns the .same/store of the main worktree that root, in a linked worktree
// of git, may share; "" if there is none.
func mainStore(root string) string {
	main := mainWorktree(root)
	if main == "" {
		return ""
	}
	same := Open(main)
	for _, p := range []string{Name, Store} {
		if !ownDirectory(same.Path(p)) {
			return ""
		}
	}
	return same.Path(Store)
}

// Owner returns the root of the workspace whose .same/store is the shared store; "" if it
// is another directory.
func Owner(store string) string {
	root, ok := strings.CutSuffix(store, string(filepath.Separator)+filepath.FromSlash(Store))
	if !ok {
		return ""
	}
	return root
}

// ownDirectory reports whether path is a directory that belongs to this user, who may
// write to it.
func ownDirectory(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir() && int(info.Sys().(*syscall.Stat_t).Uid) == os.Geteuid() &&
		unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}

// maxGitFile bounds the files of git that name a directory.
const maxGitFile = 8192

// mainWorktree returns the directory of the main worktree that is at the same place as
// root is in its linked worktree; "" if root is in none. A linked worktree has a file
// .git, which names its directory in the repository's worktrees; that has the files
// commondir, which names the repository, and gitdir, which names the file .git (git's
// gitrepository-layout(5)). In a submodule .git is a file too, but there is no commondir.
func mainWorktree(root string) string {
	top := root
	for {
		info, err := os.Lstat(filepath.Join(top, ".git"))
		if err == nil && !info.Mode().IsRegular() {
			return ""
		}
		if err == nil {
			break
		}
		up := filepath.Dir(top)
		if !errors.Is(err, fs.ErrNotExist) || up == top {
			return ""
		}
		top = up
	}
	file := filepath.Join(top, ".git")
	data, err := disk.ReadFile(file, maxGitFile)
	gitDir, ok := strings.CutPrefix(string(data), "gitdir: ")
	if err != nil || !ok {
		return ""
	}
	gitDir = absolute(top, gitDir)
	common, named := readPath(gitDir, "commondir"), readPath(gitDir, "gitdir")
	if common == "" || filepath.Base(common) != ".git" || !sameFile(named, file) {
		return ""
	}
	rel, err := filepath.Rel(top, root)
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(common), rel)
}

// readPath returns the path that the file name in dir has, which is relative to dir; ""
// if it can't be read.
func readPath(dir, name string) string {
	data, err := disk.ReadFile(filepath.Join(dir, name), maxGitFile)
	if err != nil {
		return ""
	}
	return absolute(dir, string(data))
}

func absolute(dir, path string) string {
	path = strings.TrimRight(path, "\r\n")
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// OpenShared is Open, with the results, failures and blobs in the directory store; see
// SharedStore. If that is "", they are in .same/store.
func OpenShared(root, store string) *Dir { return &Dir{root: root, store: store} }

// Shared returns the path of rel relative to a shared store, if rel is in it: whether it
// is that of a result, a failure or a blob, or of the directories of these.
func Shared(rel string) (string, bool) {
	for _, dir := range []string{Blobs, Results, Failed} {
		if rest, ok := strings.CutPrefix(rel, dir); ok && (rest == "" || rest[0] == '/') {
			return rel[len(Store)+1:], true
		}
	}
	return "", false
}
