package engine

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// A tree is a target that is a directory and does not exist, with all outputs in it. It
// is made in .same/local/tmp and then renamed: that takes less time than to rename each
// of its files, and a run that is killed leaves all of it or nothing.
type tree struct {
	target  string
	outputs []dotsame.Output // ordered by path: the target first
	stamps  []disk.Stamp     // of those that are files
	temp    string           // the directory, in .same/local/tmp
}

// takeTrees returns the trees among wrong, the outputs that are missing or differ, and the
// other outputs. have is what is at t's targets.
func (s *session) takeTrees(t *manifest.Task, have, wrong []dotsame.Output) (trees []*tree, rest []dotsame.Output) {
	if s.noTrees.Load() {
		return nil, wrong
	}
	byTarget := make(map[string]*tree)
	for _, target := range t.Targets {
		if _, ok := find(have, target); ok {
			continue
		}
		o, ok := find(wrong, target)
		if !ok || o.Type != dotsame.TypeDir {
			continue
		}
		temp, err := s.dir.TempDir()
		if err != nil {
			continue // .same is read-only, for example
		}
		byTarget[target] = &tree{target: target, temp: temp}
		trees = append(trees, byTarget[target])
	}
	if len(trees) == 0 {
		return nil, wrong
	}
	for _, o := range wrong {
		if tr := byTarget[s.targetOf(t, o.Path)]; tr != nil {
			tr.outputs = append(tr.outputs, o)
		} else {
			rest = append(rest, o)
		}
	}
	return trees, rest
}

func find(outputs []dotsame.Output, p string) (o dotsame.Output, ok bool) {
	i, ok := slices.BinarySearchFunc(outputs, p, func(o dotsame.Output, p string) int { return strings.Compare(o.Path, p) })
	if ok {
		o = outputs[i]
	}
	return o, ok
}

// targetOf returns the target of t at which p is.
func (s *session) targetOf(t *manifest.Task, p string) string {
	for {
		if slices.Contains(t.Targets, p) {
			return p
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return ""
		}
		p = p[:i]
	}
}

// in returns the path of o in the tree, "" for the target itself.
func (tr *tree) in(o dotsame.Output) string {
	return strings.TrimPrefix(strings.TrimPrefix(o.Path, tr.target), "/")
}

// stage makes the tree, except for the permissions of the target.
func (tr *tree) stage(ctx context.Context, s *session) error {
	root, err := disk.Open(tr.temp)
	if err != nil {
		return err
	}
	defer root.Close()
	trail := root.Trail()
	defer trail.Close()
	each := func(outputs []dotsame.Output, do func(dir *disk.Dir, name string, o dotsame.Output) error) error {
		for _, o := range outputs {
			dir, err := trail.Reach(path.Dir(tr.in(o)))
			if err == nil {
				err = do(dir, path.Base(o.Path), o)
			}
			if err != nil {
				return fmt.Errorf("restoring %s: %w", o.Path, err)
			}
		}
		return nil
	}
	inside := tr.outputs[1:]
	err = each(inside, func(dir *disk.Dir, name string, o dotsame.Output) error {
		switch o.Type {
		case dotsame.TypeDir:
			return dir.Mkdir(name, 0o700)
		case dotsame.TypeLink:
			return dir.Symlink(o.Link, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := tr.stageFiles(ctx, s, root); err != nil {
		return err
	}
	dirs := slices.DeleteFunc(slices.Clone(inside), func(o dotsame.Output) bool { return o.Type != dotsame.TypeDir })
	slices.Reverse(dirs) // one may become unreadable
	return each(dirs, func(dir *disk.Dir, name string, o dotsame.Output) error { return dir.Chmod(name, o.Mode.Perm()) })
}

func (tr *tree) stageFiles(ctx context.Context, s *session, root *disk.Dir) error {
	tr.stamps = make([]disk.Stamp, len(tr.outputs))
	return s.parallel(len(tr.outputs), func(next func() (int, int, bool)) error {
		trail := root.Trail()
		defer trail.Close()
		for from, to, ok := next(); ok; from, to, ok = next() {
			for i := from; i < to; i++ {
				o := tr.outputs[i]
				if o.Type != dotsame.TypeFile {
					continue
				}
				dir, err := trail.Reach(path.Dir(tr.in(o)))
				if err == nil {
					err = ctx.Err()
				}
				if err == nil {
					tr.stamps[i], err = s.stageIn(dir, o)
				}
				if err != nil {
					return fmt.Errorf("restoring %s: %w", o.Path, err)
				}
			}
		}
		return nil
	})
}

// stageIn writes o to a new file in dir.
func (s *session) stageIn(dir *disk.Dir, o dotsame.Output) (st disk.Stamp, err error) {
	f, err := dir.Create(path.Base(o.Path))
	if err != nil {
		return st, err
	}
	defer f.Close()
	if err = s.dir.GetBlob(f, o.Digest, o.Size); err == nil {
		err = f.Chmod(o.Mode.Perm())
	}
	if err != nil {
		return st, err
	}
	return disk.Fstat(int(f.Fd()))
}

// place moves the tree to its target.
func (tr *tree) place(s *session) error {
	dir, err := s.root.ReachMaking(path.Dir(tr.target))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Take(tr.temp, path.Base(tr.target)); err != nil {
		return err
	}
	return dir.Chmod(path.Base(tr.target), tr.outputs[0].Mode.Perm())
}

// prime records the digests of the tree's files: see session.prime. To rename a
// directory does not change the stamps of the files in it.
func (tr *tree) prime(s *session, epoch uint32) {
	for i, o := range tr.outputs {
		if o.Type == dotsame.TypeFile {
			s.files.Prime(o.Path, tr.stamps[i], o.Digest, epoch)
		}
	}
}

// discard removes what was not placed.
func (tr *tree) discard() {
	if parent, err := disk.Open(path.Dir(tr.temp)); err == nil {
		_, _ = parent.Remove(path.Base(tr.temp)) // the next run clears what is left
		parent.Close()
	}
}
