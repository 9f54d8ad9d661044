package disk

import "errors"

// MaxDepth is how deep Walk goes below the directory that it is given.
const MaxDepth = 16

// An Entry is what Walk comes upon. Dir is open only during the visit; who
// needs it longer holds it.
type Entry struct {
	Dir  *Dir
	Name string
	Path string // of the entry: the prefix given to Walk, then slash-separated
	Kind Kind
}

// ErrTooDeep says that a directory lies more than MaxDepth below the first.
var ErrTooDeep = errors.New("nested too deeply")

// Walk visits everything below d, each directory before what is in it, in the
// order that Compare defines. It goes into a directory if visit says so. An
// error that opening or listing a directory meets is given to unreadable, which says how to go on.
func (d *Dir) Walk(prefix string, visit func(Entry) (into bool, err error), unreadable func(Entry, error) error) error {
	return d.walk(prefix, 1, visit, unreadable)
}

func (d *Dir) walk(prefix string, depth int, visit func(Entry) (bool, error), unreadable func(Entry, error) error) error {
	for it, err := range d.Sorted() {
		if err != nil {
			return err
		}
		e := Entry{Dir: d, Name: it.Name, Path: prefix + "/" + it.Name, Kind: it.Kind}
		into, err := visit(e)
		if err != nil {
			return err
		}
		if !into {
			continue
		}
		if depth == MaxDepth {
			if err := unreadable(e, ErrTooDeep); err != nil {
				return err
			}
			continue
		}
		sub, err := d.OpenDir(it.Name)
		if err != nil {
			if err := unreadable(e, err); err != nil {
				return err
			}
			continue
		}
		err = sub.walk(e.Path, depth+1, visit, unreadable)
		sub.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Compare orders paths as Walk visits them: component by component, bytewise. It
// differs from the order of whole paths in that "a/b" comes before "a.b".
func Compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' || (y != '/' && x < y) {
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}
