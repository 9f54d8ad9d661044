package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/files"
	"cachekey/internal/manifest"
)

// A task's targets are emptied before it runs, as if it had never run here: a
// file that it no longer makes would otherwise stay among its outputs forever.
// Files that it is known to have made are removed, and so are files whose contents
// are in the store, and sockets, pipes and devices, which have no contents. Anything
// else may be somebody's work, at a badly chosen target: it is moved to
// .same/local/aside, even if it cannot be read.

// A cleared describes what happened to the files that were at a task's targets.
type cleared struct {
	aside []dotsame.Output // moved there
	stuck error            // why one could not be moved: it would pass for an output
}

// emptyTargets removes everything but inputs from t's targets. It fails only if ctx
// is done.
func (s *session) emptyTargets(ctx context.Context, t *manifest.Task, in *inputs) (c cleared, err error) {
	if len(t.Targets) == 0 {
		return c, nil
	}
	s.removeLeftovers(ctx, t, in)
	there, err := s.scanOpen(ctx, t)
	if err != nil {
		return c, err
	}
	var known []dotsame.Output
	if info, err := s.dir.ReadBuildInfo(t.Name); err == nil && info != nil {
		known = info.Outputs
	}
	if link := behindLink(there.missing); link != nil {
		s.warnf("task %q: a target is behind the symbolic link %s, which is not followed: unless the command replaces the link, the task will fail; %s", t.Name, link.Path, bindMount)
	}
	c = s.clear(in, there.outputs, known)
	if c.stuck == nil {
		c.stuck = there.unreachable
	}
	return c, nil
}

// bindMount is the hint for links to another disk.
const bindMount = "to have outputs on another disk, make it a directory and use a bind mount"

// clear removes these files, unless they are inputs. known are those that the
// task has made.
func (s *session) clear(in *inputs, list, known []dotsame.Output) (c cleared) {
	own := byPath(known)
	s.makeWritable(list)
	for _, o := range slices.Backward(list) { // the contents of a directory come after it
		if in.has(o.Path) {
			continue
		}
		s.files.ChangedPath(o.Path)
		err := s.at(o.Path, func(dir *disk.Dir, name string) error {
			switch {
			case o.Type == dotsame.TypeDir:
				_ = dir.RemoveEmpty(name) // it stays if a file in it does
				return nil
			case own[o.Path] == o, o.Type == files.TypeSpecial, s.isStored(o):
				return dir.RemoveFile(name)
			}
			err := s.moveAside(dir, name, o)
			if err == nil {
				c.aside = append(c.aside, o)
			}
			return err
		})
		if err != nil && c.stuck == nil && !errors.Is(err, fs.ErrNotExist) {
			c.stuck = fmt.Errorf("can't move %s out of the way at its target: %w", o.Path, err)
		}
	}
	return c
}

// at calls do with the directory that contains p, and the name of p in it. It opens
// the directory name by name from the workspace root, so that it does not follow a
// symbolic link, even one that appears meanwhile.
func (s *session) at(p string, do func(dir *disk.Dir, name string) error) error {
	dir, err := s.root.Reach(path.Dir(p))
	if err != nil {
		return err
	}
	defer dir.Close()
	return do(dir, path.Base(p))
}

// makeWritable lets the entries of these directories be removed and replaced.
func (s *session) makeWritable(list []dotsame.Output) {
	for _, o := range list {
		if o.Type == dotsame.TypeDir && o.Mode&0o300 != 0o300 {
			_ = s.at(o.Path, func(dir *disk.Dir, name string) error { // if this fails, so does the removal
				return dir.Chmod(name, o.Mode.Perm()|0o700)
			})
		}
	}
}

// isStored reports whether the store has the contents of o.
func (s *session) isStored(o dotsame.Output) bool {
	return o.Type == dotsame.TypeFile && s.dir.ProveBlob(o.Digest, o.Size)
}

// moveAside moves name in dir, which is o.
func (s *session) moveAside(dir *disk.Dir, name string, o dotsame.Output) error {
	to := path.Join(s.aside, o.Path)
	aside, err := s.root.ReachMaking(path.Dir(to)) // which may have restored links in it
	if err != nil {
		return err
	}
	defer aside.Close()
	if o.Type == files.TypeUnreadableDir {
		return dir.Expel(name, aside, path.Base(to))
	}
	err = dir.Move(name, aside, path.Base(to))
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	// The target is on another file system than .same.
	if o.Type == dotsame.TypeLink {
		err = aside.Symlink(o.Link, path.Base(to))
	} else {
		err = copyAside(dir, name, aside, path.Base(to), o.Mode.Perm())
	}
	if err != nil {
		return err
	}
	return dir.RemoveFile(name)
}

func copyAside(dir *disk.Dir, name string, aside *disk.Dir, as string, perm fs.FileMode) error {
	from, err := dir.OpenFile(name)
	if err != nil {
		return err
	}
	defer from.Close()
	return aside.WriteAtomic(as, disk.Sync, func(f *os.File) error {
		if err := f.Chmod(perm); err != nil { // before it has contents
			return err
		}
		_, err := io.Copy(f, from)
		return err
	})
}

func (s *session) asidePath(o dotsame.Output) string { return s.dir.Path(path.Join(s.aside, o.Path)) }

// reportAside warns of the files that were moved aside, after t has made its outputs.
// It removes those that are stored or that t has made again.
func (s *session) reportAside(t *manifest.Task, aside, outputs []dotsame.Output) {
	made := byPath(outputs)
	var left []dotsame.Output
	for _, o := range aside {
		if !s.isStored(o) && (made[o.Path] != o || !files.Storable(o)) {
			left = append(left, o)
			continue
		}
		_ = os.Remove(s.asidePath(o))
		for dir := path.Dir(path.Join(s.aside, o.Path)); dir != dotsame.Local; dir = path.Dir(dir) {
			if os.Remove(s.dir.Path(dir)) != nil {
				break // it is not empty
			}
		}
	}
	if len(left) == 0 {
		return
	}
	more := ""
	if len(left) > 1 {
		more = fmt.Sprintf(" and %d more", len(left)-1)
	}
	hint := ""
	if left[0].Type == dotsame.TypeLink && slices.Contains(t.Targets, left[0].Path) {
		hint = "; " + bindMount
	}
	s.warnf("task %q: moved %s%s from its targets to %s: not outputs of a stored result%s", t.Name, left[0].Path, more, s.aside, hint)
}

// A task's leftovers are the outputs that its last run has left at its targets,
// although it failed or its inputs changed. The targets were empty before, so
// these files are the task's own, and are removed without a warning when it is
// its turn again. A list of them is in dotsame.Leftovers. A run that is killed
// writes none; then its files are moved aside.

// recordLeftovers writes the list of t's leftovers. If it can't, it warns and
// returns the error.
func (s *session) recordLeftovers(t *manifest.Task) error {
	if len(t.Targets) == 0 {
		return nil
	}
	left, err := s.scan(context.Background(), t) // also in an interrupted run
	if err != nil || len(left.outputs) == 0 {
		return err
	}
	list := []dotsame.Output{}
	for _, o := range left.outputs {
		if files.Storable(o) { // no other can be read back
			list = append(list, withoutSpecialBits(o))
		}
	}
	data, err := json.Marshal(list)
	if err == nil {
		err = s.dir.WriteFile(dotsame.LeftoverPath(t.Name), data)
	}
	if err != nil {
		s.cannotStore(err)
	}
	return err
}

// withoutSpecialBits returns o without setuid, setgid and sticky bits, which no
// stored output has.
func withoutSpecialBits(o dotsame.Output) dotsame.Output {
	o.Mode &= 0o777
	return o
}

// removeLeftovers removes t's leftovers that are still the same, and the list.
func (s *session) removeLeftovers(ctx context.Context, t *manifest.Task, in *inputs) {
	data, err := s.dir.ReadFile(dotsame.LeftoverPath(t.Name), dotsame.MaxBuildInfo)
	if err != nil {
		return
	}
	var left dotsame.Outputs
	if disk.DecodeJSON(data, &left) == nil {
		there, err := s.scanOpen(ctx, t)
		if err != nil {
			return
		}
		listed := byPath(left)
		have := slices.DeleteFunc(there.outputs, func(o dotsame.Output) bool {
			return listed[o.Path] != withoutSpecialBits(o)
		})
		s.clear(in, have, have) // moves nothing aside: all files are known
	}
	_ = s.dir.Remove(dotsame.LeftoverPath(t.Name)) // if that fails, the list is read again
}
