package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// maxLinks is how many hard links are removed one by one.
const maxLinks = 10_000

// A merge walks the disk and the seal side by side.
type merge struct {
	seal *Reader
	next Entry // the seal's next, if more
	more bool
	dir  *disk.Dir
	o    VerifyOptions
	v    *Verdict
	// links are the paths of hard links. They go at the end: if one went before
	// its other name is looked at, that would be a file like any other.
	links []string
}

func (m *merge) advance() error {
	e, err := m.seal.Next()
	if err == io.EOF {
		m.more = false
		return nil
	}
	if err != nil {
		return refusal{fmt.Errorf("the seal is not to be trusted: %w", err)}
	}
	m.next, m.more = e, true
	return nil
}

func (m *merge) produce(p *pipeline) error {
	if err := m.advance(); err != nil {
		return err
	}
	visit := func(e disk.Entry) (bool, error) {
		for m.more && disk.Compare(m.next.Path, e.Path) < 0 {
			if err := p.add(task{want: m.next}); err != nil {
				return false, err
			}
			if err := m.advance(); err != nil {
				return false, err
			}
		}
		t := task{dir: e.Dir, name: e.Name, path: e.Path, kind: e.Kind}
		switch {
		case !m.more || m.next.Path != e.Path:
			t.what = "it is not in the seal"
		case m.next.Dir && e.Kind != disk.Directory:
			t.what = "it is " + e.Kind.String() + ", sealed as a directory"
		case !m.next.Dir && e.Kind != disk.File:
			t.what = "it is " + e.Kind.String() + ", sealed as a file"
		}
		if m.more && m.next.Path == e.Path {
			t.want = m.next
			if err := m.advance(); err != nil {
				return false, err
			}
		}
		return t.what == "" && e.Kind == disk.Directory, p.add(t)
	}
	unreadable := func(e disk.Entry, err error) error {
		return p.add(task{dir: e.Dir, name: e.Name, path: e.Path, kind: e.Kind, what: "it can't be read: " + reason(err)})
	}
	if err := walkRoots(m.dir, visit, unreadable); err != nil {
		return err
	}
	for m.more {
		if err := p.add(task{want: m.next}); err != nil {
			return err
		}
		if err := m.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) consume(t *task) error {
	if t.dir == nil {
		m.v.Missing++
		m.report(Finding{Path: t.want.Path, Problem: "it was sealed and is not there", Missing: true})
		return nil
	}
	problem := t.what
	if problem == "" && t.kind == disk.File {
		problem = differs(t)
	}
	if problem == "" {
		if t.kind == disk.File {
			m.v.Kept++
			m.v.KeptBytes += t.got.Size
			if m.o.Progress != nil {
				m.o.Progress(m.v.Kept, m.v.KeptBytes)
			}
		}
		return nil
	}
	if t.info.Links > 1 {
		if m.links = append(m.links, t.path); len(m.links) > maxLinks {
			return refusal{fmt.Errorf("it has more than %d hard links", maxLinks)}
		}
		m.report(Finding{Path: t.path, Problem: problem, Entries: 1})
		return nil
	}
	gone, err := m.remove(t.dir, t.name, t.path)
	if err != nil {
		return err
	}
	m.report(Finding{Path: t.path, Problem: problem, Entries: gone.Entries})
	return nil
}

func (m *merge) remove(dir *disk.Dir, name, path string) (disk.Removed, error) {
	gone, err := dir.Remove(name)
	m.v.Removed += gone.Entries
	m.v.RemovedBytes += gone.Bytes
	if err != nil {
		return gone, fmt.Errorf("%s is not as sealed and can't be removed: %w", message.Quote(".same/"+path), err)
	}
	return gone, nil
}

func (m *merge) removeLinks() error {
	for _, p := range m.links {
		dir, err := m.dir.Reach(path.Dir(p))
		if err != nil {
			return err
		}
		_, err = m.remove(dir, path.Base(p), p)
		dir.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) report(f Finding) {
	f.Path = ".same/" + f.Path
	m.o.Report(f)
}

// differs says how a digested file is not what the seal says, or "".
func differs(t *task) string {
	switch {
	case t.err != nil:
		return "it can't be read: " + reason(t.err)
	case t.info.Kind() != disk.File:
		return "it is " + t.info.Kind().String() + ", sealed as a file"
	case t.info.SetID():
		return "it is a set-id file"
	case t.info.Links > 1:
		return "it is a hard link: the file has other names"
	case t.info.Size < t.want.Size:
		return fmt.Sprintf("it is truncated: %d bytes of %d", t.info.Size, t.want.Size)
	case t.info.Size > t.want.Size:
		return fmt.Sprintf("it is longer than sealed: %d bytes, not %d", t.info.Size, t.want.Size)
	case t.got.Size != t.want.Size || t.got.Digest != t.want.Digest:
		return "it is altered: its digest is not the sealed one"
	default:
		return ""
	}
}

// reason is err without the path, which the finding names.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return strings.TrimSpace(err.Error())
}
