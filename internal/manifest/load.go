package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// Load reads the workspace that dir is in. Its error lists every mistake, each
// with file, line and cure. It is a message.Several if there is more than one.
func Load(dir string) (*Workspace, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("not a directory")}
	}
	file, err := Find(dir)
	if err != nil {
		return nil, err
	}
	l := &loader{dir: filepath.Dir(file), mistakes: &mistakes{}, byName: map[string]*draft{}, tools: map[string][]string{}}
	if filepath.Base(file) == WorkspaceFile {
		l.workspace(dir)
	} else {
		l.standalone()
	}
	l.check()
	if err := l.err(); err != nil {
		return nil, err
	}
	w := &Workspace{Root: l.root, Files: l.files, Warnings: l.warnings, Tools: l.tools}
	for _, d := range l.drafts {
		w.Tasks = append(w.Tasks, d.Task)
	}
	return w, nil
}

// Root returns the absolute root of the workspace that contains dir, as Load
// does, but reads only `root` in the manifest that Find returns. It ignores
// mistakes, which Load reports: the root is then the manifest's own directory.
// Without a manifest the error is a *NotFoundError.
func Root(dir string) (string, error) {
	return RootFrom(dir, func(string, int64) ([]byte, bool, error) { return nil, false, nil })
}

// RootFrom is Root for a caller that may have read the manifest: if read returns
// ok, the manifest is b and not opened.
func RootFrom(dir string, read func(path string, limit int64) (b []byte, ok bool, err error)) (string, error) {
	file, err := Find(dir)
	if err != nil {
		return "", err
	}
	name := filepath.Base(file)
	l := &loader{dir: filepath.Dir(file), mistakes: &mistakes{}}
	h := head{document: &document{file: name, mistakes: l.mistakes, left: maxRead}}
	data, ok, err := read(file, maxFile)
	if !ok && err == nil {
		data, err = disk.ReadTarget(file, maxFile)
	}
	if err != nil {
		return l.dir, nil
	}
	if top := h.parse(data); top != nil {
		for _, f := range h.fields(top, name) {
			if f.text == "root" {
				h.rootDir = h.item(f.value, "root")
			}
		}
	}
	if !l.setRoot(h) {
		return l.dir, nil
	}
	return l.root, nil
}

// A NotFoundError reports that a directory is not in a workspace.
type NotFoundError struct{ Dir string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no %s or %s in %s or above it", WorkspaceFile, TaskFile, e.Dir)
}

// Find returns the absolute path of the manifest that applies to dir: the nearest
// same.work.yaml in dir or above it, else the nearest same.yaml. If there is none,
// the error is a *NotFoundError.
func Find(dir string) (file string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, name := range []string{WorkspaceFile, TaskFile} {
		for d := dir; ; d = filepath.Dir(d) {
			if ok, err := isManifest(filepath.Join(d, name)); ok || err != nil {
				return filepath.Join(d, name), err
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	for _, name := range []string{WorkspaceFile, TaskFile} {
		short := strings.TrimSuffix(name, ".yaml") + ".yml"
		if _, err := os.Stat(filepath.Join(dir, short)); err == nil {
			return "", message.WithHint(&NotFoundError{dir}, "rename %s to %s", short, name)
		}
	}
	return "", message.WithHint(&NotFoundError{dir},
		"write a %s there, or name the directory with -C", TaskFile)
}

func isManifest(file string) (bool, error) {
	info, err := os.Stat(file)
	switch {
	case err == nil && info.Mode().IsRegular():
		return true, nil
	case err == nil:
		return false, fmt.Errorf("%s is not a regular file", file)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return false, nil
	default:
		return false, err
	}
}

// A loader loads one workspace.
type loader struct {
	dir  string // of the first manifest, absolute
	root string // of the workspace, absolute
	*mistakes
	drafts []*draft // sorted by name
	byName map[string]*draft
	tools  map[string][]string
}

// standalone loads a same.yaml without a same.work.yaml. Every path in it is
// relative to the workspace root, and its project has no effect.
func (l *loader) standalone() {
	l.files = []string{TaskFile}
	t := readTaskFile(filepath.Join(l.dir, TaskFile), TaskFile, l.mistakes)
	if t == nil {
		return
	}
	if t.project.node != nil {
		t.checkProjectName(t.project)
	}
	l.declare(t.head.tools)
	if l.setRoot(t.head) {
		t.root = l.root
	}
	t.base = "."
	t.makeDrafts("", head{})
	l.drafts = t.drafts
}

// setRoot applies `root`, which is relative to the manifest and may be above it.
func (l *loader) setRoot(h head) bool {
	l.root = l.dir
	if h.rootDir.node == nil || h.rootDir.text == "" {
		return true
	}
	root := filepath.FromSlash(h.rootDir.text)
	if !filepath.IsAbs(root) {
		root = filepath.Join(l.dir, root)
	}
	l.root = filepath.Clean(root)
	info, err := os.Stat(l.root)
	if err == nil && info.IsDir() {
		return true
	}
	h.mistake(h.rootDir.node, "name a directory relative to this manifest, or leave root out for the manifest's own",
		"root %q is not a directory", h.rootDir.text)
	return false
}

// declare adds tools to Workspace.Tools.
func (l *loader) declare(tools map[string]item) {
	for alias, spec := range tools {
		specs := append(l.tools[alias], spec.text)
		slices.Sort(specs)
		l.tools[alias] = slices.Compact(specs)
	}
}
