package manifest

import (
	"cachekey/internal/message"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"
)

// What a pattern such as ** can bring in, and how far it may look for that.
const (
	maxProjects = 10_000
	maxWalk     = 50_000 // directories
)

// workspace loads a same.work.yaml and the projects that it names. dir is where
// the person is.
func (l *loader) workspace(dir string) {
	l.files = []string{WorkspaceFile}
	w := readWorkFile(filepath.Join(l.dir, WorkspaceFile), WorkspaceFile, l.mistakes)
	if w == nil || !l.setRoot(w.head) {
		return
	}
	l.declare(w.tools)
	first := map[string]Position{} // project → where it is named
	dirs := l.projectDirs(w)
	for i, t := range l.readProjects(dirs) {
		p := dirs[i]
		if t = l.project(p, t, first); t != nil {
			l.declare(t.tools)
			tools := map[string]item{}
			for _, declared := range []map[string]item{w.tools, t.tools} {
				for alias, spec := range declared {
					tools[alias] = spec
				}
			}
			for _, raw := range t.tasks {
				l.draft(t, raw, p, t.project.text, tools)
			}
		}
	}
	l.warnStray(dir, dirs)
}

// readProjects reads the same.yaml of each of dirs, which are relative to the
// root, all at once: with many projects that is most of the time that loading takes.
func (l *loader) readProjects(dirs []string) []*taskFile {
	read := make([]*taskFile, len(dirs))
	wrong := make([]mistakes, len(dirs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range dirs {
		full := filepath.Join(l.root, filepath.FromSlash(p), TaskFile)
		file := l.relative(full)
		l.files = append(l.files, file)
		group.Go(func() error {
			read[i] = readTaskFile(full, file, &wrong[i])
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

// project judges the same.yaml of the project in p, relative to the root. It
// gives nil if nothing can be made of it.
func (l *loader) project(p string, t *taskFile, first map[string]Position) *taskFile {
	if t == nil {
		return nil
	}
	top := Position{File: t.file, Line: 1, Column: 1}
	if t.root.node != nil {
		l.warn(t.at(t.root.node), "root has no effect in a project of a %s", WorkspaceFile)
	}
	switch {
	case t.project.node == nil || t.project.text == "":
		l.add(top, "write project: "+suggestProject(p), "no project name, which every project of a %s needs", WorkspaceFile)
		return nil
	case !t.checkProjectName(t.project):
		return nil
	}
	here := t.at(t.project.node)
	if before, twice := first[t.project.text]; twice {
		l.add(here, "rename one of them", "the project %q is also at %s", t.project.text, before)
		return nil
	}
	first[t.project.text] = here
	return t
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

// relative names file from the first manifest's directory.
func (l *loader) relative(file string) string {
	return relativeTo(l.dir, file)
}

func relativeTo(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil {
		file = rel
	}
	return filepath.ToSlash(file)
}

// projectDirs gives the directories, relative to the root, that `projects`
// names and that have a same.yaml, sorted.
func (l *loader) projectDirs(w *workFile) []string {
	found := map[string]bool{}
	for _, it := range w.projects {
		pattern, ok := w.rebase(l.root, ".", it, "project", "")
		if !ok {
			continue
		}
		if !doublestar.ValidatePattern(pattern) {
			w.mistake(it.node, `close what is open: [a-z], {a,b}`, "project %q is not a pattern", it.text)
			continue
		}
		if !isPattern(pattern) {
			if l.named(w, it, pattern) {
				found[pattern] = true
			}
			continue
		}
		dirs, err := l.matching(pattern)
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
			"the project %q is a link that leads out of the workspace", p)
	}
	slices.Sort(all)
	return all
}

func isPattern(s string) bool { return strings.ContainsAny(s, `*?[{\`) }

// named says whether the project dir, which has no pattern in it, is there.
func (l *loader) named(w *workFile, it item, dir string) bool {
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
		l.warn(w.at(it.node), "%s has no %s, and is left out", path.Join(it.text), TaskFile)
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

// matching gives the directories that pattern matches and that have a
// same.yaml. Hidden directories must be named, so that ** does not walk .git.
func (l *loader) matching(pattern string) ([]string, error) {
	var dirs []string
	err := doublestar.GlobWalk(&boundedFS{os.DirFS(l.root), maxWalk}, path.Join(pattern, TaskFile), func(file string, e fs.DirEntry) error {
		if e.IsDir() {
			return nil
		}
		if dirs = append(dirs, path.Dir(file)); len(dirs) > maxProjects {
			return errors.New("matches more than 10000 projects")
		}
		return nil
	}, doublestar.WithNoHidden(), doublestar.WithFailOnIOErrors())
	return dirs, err
}

// A boundedFS lets so many directories be listed. One that may not be read is empty.
type boundedFS struct {
	fs.FS
	left int
}

func (b *boundedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if b.left--; b.left < 0 {
		return nil, fmt.Errorf("looks into more than %d directories", maxWalk)
	}
	entries, err := fs.ReadDir(b.FS, name)
	if errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return entries, err
}

// inside says whether the project dir, links followed, lies in the workspace.
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

// warnStray tells of a same.yaml that the person may think rules, and does not.
func (l *loader) warnStray(dir string, projects []string) {
	for d := dir; ; d = filepath.Dir(d) {
		if ok, err := isManifest(filepath.Join(d, TaskFile)); err == nil && ok {
			rel, err := filepath.Rel(l.root, d)
			if err != nil || !slices.Contains(projects, filepath.ToSlash(rel)) {
				l.warn(Position{File: WorkspaceFile, Line: 1, Column: 1}, "projects does not name %s, so its %s has no effect",
					l.relative(d), TaskFile)
			}
			return
		}
		if d == l.dir || d == filepath.Dir(d) {
			return
		}
	}
}
