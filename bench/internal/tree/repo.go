package tree

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A Tree is a generated tree on disk.
type Tree struct {
	Spec
	Repo  string // a clean git checkout, packed as a fresh clone is
	Plain string // only the tracked files, hard links to those of Repo
}

// Make returns the tree of spec below dir, from an earlier run if there is one.
func Make(dir string, spec Spec) (*Tree, error) {
	root := filepath.Join(dir, spec.stamp())
	t := &Tree{Spec: spec, Repo: filepath.Join(root, "repo"), Plain: filepath.Join(root, "plain")}
	if _, err := os.Stat(filepath.Join(root, "complete")); err == nil {
		return t, nil
	}
	if err := os.RemoveAll(root); err != nil {
		return nil, err
	}
	if err := spec.writeTo(t.Repo); err != nil {
		return nil, err
	}
	// Links come before `git add`: they change the ctime that the index remembers.
	if err := link(t.Repo, t.Plain); err != nil {
		return nil, err
	}
	if err := Commit(t.Repo); err != nil {
		return nil, err
	}
	if err := spec.writeUntracked(t.Repo); err != nil {
		return nil, err
	}
	return t, os.WriteFile(filepath.Join(root, "complete"), nil, 0o644)
}

// Tracked lists what git tracks in the tree, NUL-terminated, in the order of the index.
func (t *Tree) Tracked() ([]byte, error) {
	return exec.Command("git", "-C", t.Repo, "ls-files", "-z").Output()
}

func link(from, to string) error {
	return filepath.WalkDir(from, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return os.Link(name, target)
	})
}

// Commit makes root a repository with one commit, which is packed without the
// compression that nothing here reads.
func Commit(root string) error {
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"config", "core.compression", "0"},
		{"config", "core.fsync", "none"},
		{"config", "gc.auto", "0"},
		{"add", "-A"},
		{"-c", "user.name=bench", "-c", "user.email=bench@example.org", "commit", "-q", "-m", "all"},
		{"repack", "-adq", "--window=0"},
		{"prune-packed", "-q"},
		// Files as young as the index are hashed again by git; a moment later they are not.
		{"update-index", "-q", "--refresh"},
	} {
		cmd := exec.Command("git", append([]string{"-C", root}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// writeUntracked puts half of the untracked files into node_modules, which is
// ignored, a quarter into a directory of their own, which is not, and a quarter
// as ignored objects among the tracked files.
func (s Spec) writeUntracked(root string) error {
	if s.Untracked == 0 {
		return nil
	}
	beside := s.files()
	content := text(200)
	for i := range s.Untracked {
		var name string
		switch i % 4 {
		case 0, 1:
			name = fmt.Sprintf("node_modules/%s/%d/f%d.js", words[i/2%len(words)], i/40, i)
		case 2:
			name = fmt.Sprintf("scratch/%d/f%d.txt", i/80, i)
		case 3:
			name = filepath.Dir(beside[i/4%len(beside)].path) + fmt.Sprintf("/f%d.o", i)
		}
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
