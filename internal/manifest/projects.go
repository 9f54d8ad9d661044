package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"cachekey/internal/message"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"
)

// Limits of a pattern such as **.
const (
	maxProjects = 10_000
	maxWalk     = 50_000 // directories
)

// workspace loads a same.work.yaml and the projects that it lists. dir is the
// directory that Load was called with.
func (l *loader) workspace(dir string) {
	l.files = []string{WorkspaceFile}
	w := readWorkFile(filepath.Join(l.dir, WorkspaceFile), WorkspaceFile, l.mistakes)
	if w == nil || !l.setRoot(w.head) {
		return
	}
	w.root, w.base = l.root, "."
	l.declare(w.tools)
	first := map[string]Position{} // of each project's name
	dirs := l.projectDirs(w)
	for i, t := range l.readProjects(dirs, w.head) {
		if t != nil && l.checkProject(dirs[i], t, first) {
			l.declare(t.tools)
			l.drafts = append(l.drafts, t.drafts...)
		}
	}
	l.warnStray(dir, dirs)
}

// readProjects reads the same.yaml of each of dirs, which are relative to the root.
// It reads them concurrently, since that is most of the time that Load takes.
func (l *loader) readProjects(dirs []string, workspace head) []*taskFile {
	read := make([]*taskFile, len(dirs))
	wrong := make([]mistakes, len(dirs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range dirs {
		full := filepath.Join(l.root, filepath.FromSlash(p), TaskFile)
		file := l.relative(full)
		l.files = append(l.files, file)
		group.Go(func() error {
			if t := readTaskFile(full, file, &wrong[i]); t != nil {
				t.root, t.base = l.root, p
				t.makeDrafts(t.project.text, workspace)
				read[i] = t
			}
			return nil
		})
	}
	_ = group.Wait()
	for i, t := range read {
		l.absorb(&wrong[i])
		if t != nil {
			t.mistakes = l.mistakes
		}
	}
	return read
}

// checkProject checks the name of the project in dir, relative to the root, and
// reports whether its tasks can be used.
func (l *loader) checkProject(dir string, t *taskFile, first map[string]Position) bool {
	top := Position{File: t.file, Line: 1, Column: 1}
	if t.rootDir.node != nil {
		l.warn(t.at(t.rootDir.node), "root has no effect in a project of a %s", WorkspaceFile)
	}
	switch {
	case t.project.node == nil || t.project.text == "":
		l.add(top, "write project: "+suggestProject(dir), "no project name: every project of a %s needs one", WorkspaceFile)
		return false
	case !t.checkProjectName(t.project):
		return false
	}
	here := t.at(t.project.node)
	if before, twice := first[t.project.text]; twice {
		l.add(here, "rename one of them", "the project %q is also at %s", t.project.text, before)
		return false
	}
	first[t.project.text] = here
	return true
}

func suggestProject(dir string) string {
	name := strings.Map(func(r rune) rune {
		if validName.MatchString("x" + string(r)) {
			return r
		}
		return '-'
	}, path.Base(dir))
	return strings.Trim(name, ".+-")
}

// relative returns file relative to the first manifest's directory.
func (l *loader) relative(file string) string {
	return relativeTo(l.dir, file)
}

func relativeTo(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil {
		file = rel
	}
	return filepath.ToSlash(file)
}

// projectDirs returns the directories, relative to the root, that `projects` lists
// and that have a same.yaml, sorted.
func (l *loader) projectDirs(w *workFile) []string {
	found := map[string]bool{}
	for _, it := range w.projects {
		pattern, ok := w.rebase(it, "project", "")
		if !ok {
			continue
		}
		if !doublestar.ValidatePattern(pattern) {
			w.mistake(it.node, `close brackets and braces: [a-z], {a,b}`, "project %q is not a valid pattern", it.text)
			continue
		}
		if !isPattern(pattern) {
			if l.namedProject(w, it, pattern) {
				found[pattern] = true
			}
			continue
		}
		dirs, err := l.matchingProjects(pattern)
		if err != nil {
			w.mistake(it.node, "", "project %q: %v", it.text, err)
			continue
		}
		if len(dirs) == 0 {
			l.warn(w.at(it.node), "no directory with a %s matches %q", TaskFile, it.text)
		}
		for _, p := range dirs {
			found[p] = true
		}
	}
	all := make([]string, 0, len(found))
	for p := range found {
		if l.inside(p) {
			all = append(all, p)
			continue
		}
		l.add(Position{File: WorkspaceFile, Line: 1, Column: 1}, "move it into the workspace",
			"the project %q is a link to outside the workspace", p)
	}
	slices.Sort(all)
	return all
}

func isPattern(s string) bool { return strings.ContainsAny(s, `*?[{\`) }

// namedProject reports whether dir, which is not a pattern, has a same.yaml.
func (l *loader) namedProject(w *workFile, it item, dir string) bool {
	full := filepath.Join(l.root, filepath.FromSlash(dir))
	info, err := os.Stat(full)
	if err != nil || !info.IsDir() {
		cure := "create it, or remove the line"
		if near := message.Nearest(path.Base(dir), subdirectories(filepath.Dir(full))); near != "" {
			cure = "did you mean " + quote(path.Join(path.Dir(dir), near)) + "?"
		}
		w.mistake(it.node, cure, "the project %q is not a directory", it.text)
		return false
	}
	if _, err := os.Stat(filepath.Join(full, TaskFile)); errors.Is(err, fs.ErrNotExist) {
		l.warn(w.at(it.node), "%s has no %s and is ignored", path.Join(it.text), TaskFile)
		return false
	}
	return true
}

func subdirectories(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// matchingProjects returns the directories that match pattern and have a same.yaml.
// A pattern does not match hidden directories, so that ** does not walk .git.
func (l *loader) matchingProjects(pattern string) ([]string, error) {
	var dirs []string
	err := doublestar.GlobWalk(&boundedFS{os.DirFS(l.root), maxWalk}, path.Join(pattern, TaskFile), func(file string, e fs.DirEntry) error {
		if e.IsDir() {
			return nil
		}
		if dirs = append(dirs, path.Dir(file)); len(dirs) > maxProjects {
			return fmt.Errorf("matches more than %d projects", maxProjects)
		}
		return nil
	}, doublestar.WithNoHidden(), doublestar.WithFailOnIOErrors())
	return dirs, err
}

// A boundedFS is an FS in which at most left directories can be listed. It treats
// directories without read permission as empty.
type boundedFS struct {
	fs.FS
	left int
}

func (b *boundedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if b.left--; b.left < 0 {
		return nil, fmt.Errorf("searches more than %d directories", maxWalk)
	}
	entries, err := fs.ReadDir(b.FS, name)
	if errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return entries, err
}

// inside reports whether dir is in the workspace after links are followed.
func (l *loader) inside(dir string) bool {
	real, err := filepath.EvalSymlinks(filepath.Join(l.root, filepath.FromSlash(dir)))
	if err != nil {
		return false
	}
	root, err := filepath.EvalSymlinks(l.root)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(root, real)
	return err == nil && !leaves(filepath.ToSlash(rel))
}

// warnStray warns about a same.yaml in or above dir that has no effect.
func (l *loader) warnStray(dir string, projects []string) {
	for d := dir; ; d = filepath.Dir(d) {
		if ok, err := isManifest(filepath.Join(d, TaskFile)); err == nil && ok {
			rel, err := filepath.Rel(l.root, d)
			if err != nil || !slices.Contains(projects, filepath.ToSlash(rel)) {
				l.warn(Position{File: WorkspaceFile, Line: 1, Column: 1}, "projects does not list %s, so its %s has no effect",
					l.relative(d), TaskFile)
			}
			return
		}
		if d == l.dir || d == filepath.Dir(d) {
			return
		}
	}
}
