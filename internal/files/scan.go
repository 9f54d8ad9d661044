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

// The types of what Scan finds and nothing can store. No build info has them.
const (
	TypeSpecial       dotsame.Type = "special" // a socket, a named pipe or a device
	TypeUnreadable    dotsame.Type = "unreadable"
	TypeUnreadableDir dotsame.Type = "unreadable dir" // its contents are unknown
)

// Storable reports whether o can be stored and restored.
func Storable(o dotsame.Output) bool {
	return o.Type == dotsame.TypeFile || o.Type == dotsame.TypeDir || o.Type == dotsame.TypeLink
}

// Scan returns what is at target and below it, hashed, in bytewise order of paths.
// unstorable is an error about the first output that can't be stored.
func (x *Index) Scan(ctx context.Context, target string) (outputs []dotsame.Output, unstorable, err error) {
	s := &scan{x: x, ctx: ctx, epoch: x.epoch.Load()}
	up := ""
	for name := range strings.SplitSeq(path.Dir(target), "/") {
		if name == "." {
			break
		}
		if err := s.parent(up, name); err != nil {
			return nil, nil, err
		}
		up = path.Join(up, name)
	}
	if err := s.visit(up, path.Base(target)); err != nil {
		return nil, nil, err
	}
	if len(s.outputs) == 0 {
		return nil, nil, ErrNotThere
	}
	slices.SortFunc(s.outputs, func(a, b dotsame.Output) int { return strings.Compare(a.Path, b.Path) })
	return s.outputs, s.unstorable, nil
}

type scan struct {
	x       *Index
	ctx     context.Context
	epoch   uint32
	outputs []dotsame.Output

	unstorable error
}

// fail records that an output can't be stored.
func (s *scan) fail(err error) {
	if s.unstorable == nil {
		s.unstorable = err
	}
}

// A LinkError reports that a directory on the path of a target is a symbolic link.
type LinkError struct{ Path string }

func (e *LinkError) Error() string {
	return fmt.Sprintf("the symbolic link %s on its path is not followed", e.Path)
}

// Unwrap returns ErrNotThere.
func (e *LinkError) Unwrap() error { return ErrNotThere }

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
		return &LinkError{path.Join(up, name)}
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
	for _, i := range subs {
		sub := s.outputs[i].Path
		if err := s.visit(sub, ""); s.ctx.Err() != nil {
			return s.ctx.Err()
		} else if err != nil {
			s.outputs[i].Type = TypeUnreadableDir
			s.fail(err)
		}
	}
	return nil
}

// entries appends the entries of d, or only one of them, to s.outputs. subs are
// the places there of the directories.
func (s *scan) entries(d *dir, only string) (subs []int, err error) {
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
	unreadable := make(map[*entry]bool)
	if s.x.hashAll(s.ctx, d, fd, contents) != nil { // one by one: which of them is it?
		for i, e := range contents {
			if err := s.x.hashAll(s.ctx, d, fd, contents[i:i+1]); s.ctx.Err() != nil {
				return nil, s.ctx.Err()
			} else if err != nil {
				unreadable[e] = true
				s.fail(err)
			}
		}
	}
	for _, e := range wanted {
		o := dotsame.Output{Path: path.Join(d.path, e.name), Mode: dotsame.Mode(e.stamp.Mode & 0o777)}
		if e.stamp.Kind() != disk.Directory { // a directory may inherit its setgid bit
			o.Mode = dotsame.Mode(e.stamp.Mode & 0o7777)
		}
		switch e.stamp.Kind() {
		case disk.Absent:
			continue // removed after it was listed
		case disk.Directory:
			o.Type = dotsame.TypeDir
			subs = append(subs, len(s.outputs))
		case disk.Link:
			o.Type, o.Mode = dotsame.TypeLink, 0
			if o.Link, err = linkTarget(fd, e.name); err != nil {
				o.Type = TypeUnreadable
				s.fail(fmt.Errorf("reading the link %s: %w", o.Path, err))
			}
		case disk.File:
			o.Type, o.Size, o.Digest = dotsame.TypeFile, e.stamp.Size, e.digest
			if unreadable[e] {
				o.Type = TypeUnreadable
			}
		default:
			o.Type = TypeSpecial
			s.fail(fmt.Errorf("%s is %s", o.Path, e.stamp.Kind()))
		}
		s.outputs = append(s.outputs, o)
	}
	return subs, nil
}

func linkTarget(fd *dirFD, name string) (string, error) {
	handle, err := fd.open()
	if err != nil {
		return "", err
	}
	target, err := readLink(handle, name)
	return string(target), err
}
