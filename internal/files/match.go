package files

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cachekey/internal/digest"
)

// A Found is a file or link that a task's patterns match.
type Found struct {
	Path   string // slash-separated, relative to the workspace root
	Kind   byte   // File, Exec or Link
	Digest digest.Digest
}

// A Match is all that a task's patterns match.
type Match struct {
	Found   []Found           // in bytewise order of Path
	Empty   []string          // the patterns that match nothing
	Through map[string]string // pattern → the symbolic link that it goes through, and stops at
}

// Match lists and hashes what ps matches, as it is now.
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

// A walk is one Match on its way through the workspace.
type walk struct {
	x     *Index
	ps    *Patterns
	ctx   context.Context
	epoch uint32
	wg    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	found   []Found
	hit     []bool
	through map[string]string
	err     error
}

type below struct {
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

// visit collects what matches in one directory, and gives the directories in
// it that are worth a visit.
func (w *walk) visit(d *dir, states []state) ([]below, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fd := w.x.fd(d)
	defer fd.close()
	candidates, err := w.candidates(d, fd, states)
	if err != nil {
		return nil, err
	}
	var (
		subs    []below
		matched []*entry
		paths   []string
		hits    []int
		links   []state // what goes through a link
		buf     []state
	)
	for _, e := range candidates {
		kind := e.kind()
		if kind == 0 {
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
		if kind == 'd' {
			subs = append(subs, below{full, slices.Clone(next)})
			continue
		}
		found := false
		for _, s := range next {
			if w.ps.done(s) {
				found = true
				hits = append(hits, s.pattern)
			}
		}
		if kind == Link {
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
	if err := w.x.hashAll(d, fd, matched); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range matched {
		if kind := e.kind(); kind != 0 { // else it has gone
			w.found = append(w.found, Found{paths[i], kind, e.digest})
		}
	}
	for _, i := range hits {
		w.hit[i] = true
	}
	return subs, nil
}

// candidates gives the entries of d that states can go on with.
func (w *walk) candidates(d *dir, fd *dirFD, states []state) ([]*entry, error) {
	var candidates []*entry
	names, ok := w.ps.literals(states)
	if !ok {
		if err := w.x.list(d, fd, w.epoch); err != nil {
			return nil, fmt.Errorf("listing %s: %w", d.shown(), err)
		}
		candidates = make([]*entry, len(d.entries))
		for i := range d.entries {
			candidates[i] = &d.entries[i]
		}
		return candidates, nil
	}
	for _, name := range names { // first all of them: each may move the others
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

// spelled adds to list the states that name leads on from because their
// patterns spell it out, and that do not end there.
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
