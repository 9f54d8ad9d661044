package files

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
)

// The kinds of a Found, as they stand in digests.
const (
	File = 'f'
	Exec = 'x' // a file that its owner may execute
	Link = 'l'
)

// A Found is a file or link that matches one of a task's patterns.
type Found struct {
	Path   string // slash-separated, relative to the workspace root
	Kind   byte   // File, Exec or Link
	Digest digest.Digest
}

// kindOf returns the kind of a file or link with this stamp.
func kindOf(st disk.Stamp) byte {
	switch {
	case st.Kind() == disk.Link:
		return Link
	case st.Executable():
		return Exec
	}
	return File
}

// A Match is the result of matching a task's patterns.
type Match struct {
	Found   []Found           // in bytewise order of Path
	Empty   []string          // the patterns that match nothing
	Through map[string]string // pattern → a symbolic link on its path, which is not followed
}

// Match lists and hashes the files that ps matches.
func (x *Index) Match(ctx context.Context, ps *Patterns) (*Match, error) {
	w := &walk{x: x, ps: ps, ctx: ctx, epoch: x.epoch.Load(), hit: make([]bool, len(ps.list)), through: make(map[string]string)}
	w.dir("", ps.start())
	w.wg.Wait()
	if w.err == nil {
		w.err = ctx.Err()
	}
	if w.err != nil {
		return nil, w.err
	}
	slices.SortFunc(w.found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	m := &Match{Found: w.found, Through: w.through}
	for i, hit := range w.hit {
		if !hit {
			m.Empty = append(m.Empty, ps.list[i].text)
		}
	}
	return m, nil
}

// A walk is the state of one call of Match.
type walk struct {
	x     *Index
	ps    *Patterns
	ctx   context.Context
	epoch uint32
	wg    sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	found   []Found
	hit     []bool
	through map[string]string
	err     error
}

// A subdir is a directory that a pattern may match files in.
type subdir struct {
	path   string
	states []state
}

func (w *walk) dir(p string, states []state) {
	if w.ctx.Err() != nil {
		return
	}
	subs, err := w.visit(w.x.dir(p), states)
	if err != nil {
		w.fail(err)
		return
	}
	for i, s := range subs {
		if i == len(subs)-1 || !w.x.spawn(&w.wg, func() { w.dir(s.path, s.states) }) {
			w.dir(s.path, s.states)
		}
	}
}

func (w *walk) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// visit records the matches in one directory and returns the subdirectories that
// may have more.
func (w *walk) visit(d *dir, states []state) ([]subdir, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fd := w.x.fd(d)
	defer fd.close()
	candidates, err := w.candidates(d, fd, states)
	if err != nil {
		return nil, err
	}
	var (
		subs    []subdir
		matched []*entry
		paths   []string
		hits    []int
		links   []state // that would continue through a link
		buf     []state
	)
	for _, e := range candidates {
		kind := e.stamp.Kind()
		if kind != disk.Directory && !e.hashable() {
			continue
		}
		full := d.path + "/" + e.name
		if d.path == "" {
			full = e.name
		}
		next := w.ps.step(buf, states, e.name, full)
		buf = next
		if len(next) == 0 {
			continue
		}
		if kind == disk.Directory {
			subs = append(subs, subdir{full, slices.Clone(next)})
			continue
		}
		found := false
		for _, s := range next {
			if w.ps.done(s) {
				found = true
				hits = append(hits, s.pattern)
			}
		}
		if kind == disk.Link {
			links = w.ps.spelled(links, states, e.name)
		}
		if found {
			matched, paths = append(matched, e), append(paths, full)
		}
		if len(links) > 0 {
			w.note(links, full)
			links = links[:0]
		}
	}
	if err := w.x.hashAll(w.ctx, d, fd, matched); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range matched {
		if e.hashable() { // still: it may have been removed in the meantime
			w.found = append(w.found, Found{paths[i], kindOf(e.stamp), e.digest})
		}
	}
	for _, i := range hits {
		w.hit[i] = true
	}
	return subs, nil
}

// candidates returns the entries of d that may match: only those that the patterns
// spell out, if there are no others, so that d need not be listed.
func (w *walk) candidates(d *dir, fd *dirFD, states []state) ([]*entry, error) {
	var candidates []*entry
	names, ok := w.ps.literals(states)
	if !ok {
		if err := w.x.list(d, fd, w.epoch); err != nil {
			return nil, fmt.Errorf("listing %s: %w", d, err)
		}
		candidates = make([]*entry, len(d.entries))
		for i := range d.entries {
			candidates[i] = &d.entries[i]
		}
		return candidates, nil
	}
	for _, name := range names { // a loop of its own: single may move entries
		if _, err := w.x.single(d, fd, name, w.epoch); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if i, ok := d.find(name); ok && d.entries[i].seen >= w.epoch {
			candidates = append(candidates, &d.entries[i])
		}
	}
	return candidates, nil
}

// spelled appends to list the states whose patterns spell out name and continue
// after it.
func (ps *Patterns) spelled(list, states []state, name string) []state {
	for _, s := range states {
		parts := ps.list[s.pattern].parts
		if s.at+1 < len(parts) && parts[s.at].kind == literal && parts[s.at].text == name {
			list = append(list, s)
		}
	}
	return list
}

func (w *walk) note(links []state, full string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range links {
		w.through[w.ps.list[s.pattern].text] = full
	}
}

// Replace changes m to what Match would return if the outputs were all that is at
// the paths for which replaced reports true.
func (m *Match) Replace(ps *Patterns, replaced func(path string) bool, outputs []dotsame.Output) {
	m.Found = slices.DeleteFunc(m.Found, func(f Found) bool { return replaced(f.Path) })
	for _, o := range outputs {
		if o.Type == dotsame.TypeDir || len(ps.MatchPath(o.Path)) == 0 {
			continue
		}
		m.Found = append(m.Found, FoundOutput(o))
	}
	slices.SortFunc(m.Found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	m.Empty = ps.empty(m.Found)
}

// FoundOutput returns the file or link o as a match has it.
func FoundOutput(o dotsame.Output) Found {
	f := Found{Path: o.Path, Kind: File, Digest: o.Digest}
	switch {
	case o.Type == dotsame.TypeLink:
		f.Kind, f.Digest = Link, digest.Of([]byte(o.Link))
	case o.Mode.Exec():
		f.Kind = Exec
	}
	return f
}

// empty returns the patterns that match none of found.
func (ps *Patterns) empty(found []Found) (texts []string) {
	hit, left := make([]bool, len(ps.list)), len(ps.list)
	for _, f := range found {
		if left == 0 {
			break
		}
		for _, i := range ps.MatchPath(f.Path) {
			if !hit[i] {
				hit[i] = true
				left--
			}
		}
	}
	for i, p := range ps.list {
		if !hit[i] {
			texts = append(texts, p.text)
		}
	}
	return texts
}

// File returns the regular file at p, hashed, and whether there is one. It needs no
// pattern, so it also finds what belongs to git or to same.
func (x *Index) File(ctx context.Context, p string) (f Found, ok bool, err error) {
	up := path.Dir(p)
	if up == "." {
		up = ""
	}
	d := x.dir(up)
	d.mu.Lock()
	defer d.mu.Unlock()
	fd := x.fd(d)
	fd.flags = disk.SearchOnly // it may be below a /home that users can't list
	defer fd.close()
	e, err := x.single(d, fd, path.Base(p), x.epoch.Load())
	if err != nil || e == nil || e.stamp.Kind() != disk.File {
		return Found{}, false, err
	}
	if err := x.hashAll(ctx, d, fd, []*entry{e}); err != nil || !e.hashable() {
		return Found{}, false, err
	}
	return Found{p, kindOf(e.stamp), e.digest}, true, nil
}
