package disk

import "strings"

// A Trail reaches one directory below a root after another and keeps the last
// one open: the next is mostly that one again, or below it. It may not be used
// at once by several, nor where what was reached has been removed or replaced.
type Trail struct {
	root, last *Dir
	path       string // of last, from root
}

// Trail begins at d.
func (d *Dir) Trail() *Trail { return &Trail{root: d.Hold()} }

// Close lets go of what is open.
func (t *Trail) Close() {
	t.forget()
	t.root.Close()
}

func (t *Trail) forget() {
	if t.last != nil {
		t.last.Close()
		t.last = nil
	}
}

// Reach opens the directory path as Dir.Reach does. It is open until the next
// call, and not the caller's to close.
func (t *Trail) Reach(path string) (*Dir, error) { return t.reach(path, (*Dir).Reach) }

// ReachMaking is Reach, and makes the directories that are not there.
func (t *Trail) ReachMaking(path string) (*Dir, error) { return t.reach(path, (*Dir).ReachMaking) }

func (t *Trail) reach(path string, how func(*Dir, string) (*Dir, error)) (*Dir, error) {
	from, rest := t.root, path
	if t.last != nil {
		if path == t.path {
			return t.last, nil
		}
		if below, ok := strings.CutPrefix(path, t.path+"/"); ok {
			from, rest = t.last, below
		}
	}
	next, err := how(from, rest)
	if err != nil {
		return nil, err
	}
	t.forget()
	t.last, t.path = next, path
	return next, nil
}
