package seal

import (
	"fmt"
	"io"
	"path"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

// maxLinks is how many hard links are removed one by one.
const maxLinks = 10_000

// A merge walks disk and seal side by side, and removes what differs.
type merge struct {
	VerifyOptions
	seal    *Reader
	next    Entry // of the seal, unless atEnd
	atEnd   bool
	dir     *disk.Dir
	remover *dotsame.Remover
	verdict *Verdict
	proofs  *dotsame.Proofs // nil unless Deep
	// links are the paths of hard links. They are removed last: if one were removed
	// before its other name is checked, that would be an ordinary file.
	links []string
}

// advance reads the next entry of the seal.
func (m *merge) advance() (err error) {
	m.next, err = m.seal.Next()
	if err == io.EOF {
		m.atEnd = true
		return nil
	}
	return invalid(err)
}

// addMissing adds a job for every entry of the seal that comes before path, or for
// all that are left if path is "": they do not exist on disk.
func (m *merge) addMissing(p *pipeline, path string) error {
	for !m.atEnd && (path == "" || disk.Compare(m.next.Path, path) < 0) {
		if err := p.add(job{want: m.next}); err != nil {
			return err
		}
		if err := m.advance(); err != nil {
			return err
		}
	}
	return nil
}

// produce adds a job for every path that is on disk or in the seal.
func (m *merge) produce(p *pipeline) error {
	if err := m.advance(); err != nil {
		return err
	}
	visit := func(e disk.Entry) (enter bool, err error) {
		if err := m.addMissing(p, e.Path); err != nil {
			return false, err
		}
		j := job{dir: e.Dir, name: e.Name, path: e.Path, kind: e.Kind, deep: m.Deep}
		if m.atEnd || m.next.Path != e.Path {
			j.problem = "it is not in the seal"
			return false, p.add(j)
		}
		j.blob = m.next.blob
		switch j.want = m.next; {
		case j.want.Dir && e.Kind != disk.Directory:
			j.problem = "it is " + e.Kind.String() + ", sealed as a directory"
		case !j.want.Dir && e.Kind != disk.File:
			j.problem = "it is " + e.Kind.String() + ", sealed as a file"
		}
		if err := m.advance(); err != nil {
			return false, err
		}
		if j.problem == "" && e.Kind == disk.Directory {
			e.Dir.Protect(e.Name)
		}
		return j.problem == "" && e.Kind == disk.Directory, p.add(j)
	}
	unreadable := func(e disk.Entry, err error) error {
		return p.add(job{dir: e.Dir, name: e.Name, path: e.Path, kind: e.Kind, problem: "it can't be read: " + disk.Reason(err)})
	}
	if err := walkRoots(m.dir, visit, unreadable); err != nil {
		return err
	}
	return m.addMissing(p, "")
}

// consume counts a finished job whose file matches the seal, and removes the others.
func (m *merge) consume(j *job) error {
	if j.dir == nil {
		m.verdict.Missing++
		m.report(Finding{Path: j.want.Path, Problem: "it is in the seal but does not exist", Missing: true})
		return nil
	}
	if j.kind == disk.File && j.problem == "" {
		if j.problem = difference(j); j.problem == "" {
			if j.blob && m.Deep {
				m.proofs.Add(j.digest, j.info.Stamp)
			}
			m.verdict.Kept++
			m.verdict.KeptBytes += j.size
			if m.Progress != nil {
				m.Progress(m.verdict.Kept, m.verdict.KeptBytes)
			}
		}
	}
	if j.problem == "" {
		return nil
	}
	if j.info.Links > 1 {
		if m.links = append(m.links, j.path); len(m.links) > maxLinks {
			return refusal{fmt.Errorf("it has more than %d hard links", maxLinks)}
		}
		m.report(Finding{Path: j.path, Problem: j.problem, Entries: 1})
		return nil
	}
	removed, err := m.remove(j.dir, j.path)
	if err != nil {
		return err
	}
	m.report(Finding{Path: j.path, Problem: j.problem, Entries: removed.Entries})
	return nil
}

func (m *merge) remove(dir *disk.Dir, path string) (disk.Removed, error) {
	removed, err := m.remover.Remove(dir, path)
	m.verdict.Removed += removed.Entries
	m.verdict.RemovedBytes += removed.Bytes
	if err != nil {
		return removed, fmt.Errorf("%s does not match the seal and can't be removed: %w", message.Quote(dotsame.Name+"/"+path), err)
	}
	return removed, nil
}

func (m *merge) removeLinks() error {
	for _, p := range m.links {
		dir, err := m.dir.Reach(path.Dir(p))
		if err != nil {
			return err
		}
		_, err = m.remove(dir, p)
		dir.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) report(f Finding) {
	f.Path = dotsame.Name + "/" + f.Path
	m.Report(f)
}

// difference returns how a file differs from the seal, or "".
func difference(j *job) string {
	switch {
	case j.err != nil:
		return "it can't be read: " + disk.Reason(j.err)
	case j.info.Kind() != disk.File:
		return "it is " + j.info.Kind().String() + ", sealed as a file"
	case j.info.SetID():
		return "it is a set-id file"
	case j.info.Links > 1:
		return "it is a hard link: the file has other names"
	case j.info.Size < j.want.Size:
		return fmt.Sprintf("it is truncated: %d bytes of %d", j.info.Size, j.want.Size)
	case j.info.Size > j.want.Size:
		return fmt.Sprintf("it is longer than sealed: %d bytes, not %d", j.info.Size, j.want.Size)
	case j.blob:
		if j.deep && j.digest.String() != path.Base(j.path) {
			return "it is altered: its digest is not its name"
		}
	case j.size != j.want.Size || j.digest != j.want.Digest:
		return "it is altered: its digest does not match the seal"
	}
	return ""
}
