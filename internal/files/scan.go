package files

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
)

// ErrNotThere is returned by Scan if the target does not exist.
var ErrNotThere = errors.New("it does not exist")

// Scan returns what is at target and below it, hashed, in bytewise order of paths.
func (x *Index) Scan(ctx context.Context, target string) ([]dotsame.Output, error) {
	s := &scan{x: x, ctx: ctx, epoch: x.epoch.Load()}
	up := ""
	for name := range strings.SplitSeq(path.Dir(target), "/") {
		if name == "." {
			break
		}
		if err := s.parent(up, name); err != nil {
			return nil, err
		}
		up = path.Join(up, name)
	}
	if err := s.visit(up, path.Base(target)); err != nil {
		return nil, err
	}
	if len(s.outputs) == 0 {
		return nil, ErrNotThere
	}
	slices.SortFunc(s.outputs, func(a, b dotsame.Output) int { return strings.Compare(a.Path, b.Path) })
	return s.outputs, nil
}

type scan struct {
	x       *Index
	ctx     context.Context
	epoch   uint32
	outputs []dotsame.Output
}

// parent checks that a name on the path of the target is a real directory.
func (s *scan) parent(up, name string) error {
	d := s.x.dir(up)
	d.mu.Lock()
	defer d.mu.Unlock()
	fd := s.x.fd(d)
	defer fd.close()
	e, err := s.x.single(d, fd, name, s.epoch)
	switch {
	case err != nil:
		return err
	case e == nil:
		return ErrNotThere
	case e.stamp.Kind() == disk.Link:
		return fmt.Errorf("the symbolic link %s on its path is not followed: %w", path.Join(up, name), ErrNotThere)
	case e.stamp.Kind() != disk.Directory:
		return ErrNotThere
	}
	return nil
}

// visit records the entries of dir, or only the one named only if that is not "",
// and everything below them.
func (s *scan) visit(dir, only string) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	subs, err := s.entries(s.x.dir(dir), only)
	if err != nil {
		return err
	}
	for _, sub := range subs {
		if err := s.visit(sub, ""); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) entries(d *dir, only string) (subs []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fd := s.x.fd(d)
	defer fd.close()
	var wanted []*entry
	if only != "" {
		e, err := s.x.single(d, fd, only, s.epoch)
		if err != nil || e == nil {
			return nil, err
		}
		wanted = append(wanted, e)
	} else {
		if err := s.x.list(d, fd, s.epoch); err != nil {
			return nil, fmt.Errorf("listing %s: %w", d, err)
		}
		for i := range d.entries {
			wanted = append(wanted, &d.entries[i])
		}
	}
	contents := slices.DeleteFunc(slices.Clone(wanted), func(e *entry) bool { return !e.hashable() })
	if err := s.x.hashAll(s.ctx, d, fd, contents); err != nil {
		return nil, err
	}
	for _, e := range wanted {
		o := dotsame.Output{Path: path.Join(d.path, e.name), Mode: dotsame.Mode(e.stamp.Mode & 0o777)}
		if e.stamp.Kind() != disk.Directory { // a directory may inherit its setgid bit
			o.Mode = dotsame.Mode(e.stamp.Mode & 0o7777)
		}
		switch e.stamp.Kind() {
		case disk.Directory:
			o.Type = dotsame.TypeDir
			subs = append(subs, o.Path)
		case disk.Link:
			handle, err := fd.open()
			var target []byte
			if err == nil {
				target, err = readLink(handle, e.name)
			}
			if err != nil {
				return nil, fmt.Errorf("reading the link %s: %w", o.Path, err)
			}
			o.Type, o.Mode, o.Link = dotsame.TypeLink, 0, string(target)
		case disk.File:
			o.Type, o.Size, o.Digest = dotsame.TypeFile, e.stamp.Size, e.digest
		default:
			return nil, fmt.Errorf("%s is not a file, a directory or a link", o.Path)
		}
		s.outputs = append(s.outputs, o)
	}
	return subs, nil
}
