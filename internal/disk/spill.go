package disk

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"io"
	"os"
)

// A spill is a temporary file of sorted runs of items. Nobody but this process
// ever sees it: its name is gone before the first byte is written.
type spill struct {
	f    *os.File
	ends []int64 // where each run ends
}

func (s *spill) empty() bool { return s.f == nil }

func (s *spill) close() {
	if s.f != nil {
		s.f.Close()
	}
}

// write appends a run: for every item its kind in one byte, the length of its name and the name.
func (s *spill) write(run []Item) error {
	if s.f == nil {
		f, err := os.CreateTemp("", "cachekey-names-")
		if err != nil {
			return err
		}
		s.f = f
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(s.f, 1<<16)
	var head [1 + binary.MaxVarintLen64]byte
	for _, it := range run {
		head[0] = byte(it.Kind)
		n := binary.PutUvarint(head[1:], uint64(len(it.Name)))
		w.Write(head[:1+n])
		w.WriteString(it.Name)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	end, err := s.f.Seek(0, io.SeekCurrent)
	s.ends = append(s.ends, end)
	return err
}

// merge gives the items of all runs in order.
func (s *spill) merge(yield func(Item, error) bool) {
	var heads runs
	start := int64(0)
	for _, end := range s.ends {
		r := &run{r: bufio.NewReaderSize(io.NewSectionReader(s.f, start, end-start), 1<<16)}
		start = end
		switch err := r.next(); err {
		case nil:
			heads = append(heads, r)
		case io.EOF:
		default:
			yield(Item{}, err)
			return
		}
	}
	heap.Init(&heads)
	for len(heads) > 0 {
		if !yield(heads[0].item, nil) {
			return
		}
		switch err := heads[0].next(); err {
		case nil:
			heap.Fix(&heads, 0)
		case io.EOF:
			heap.Pop(&heads)
		default:
			yield(Item{}, err)
			return
		}
	}
}

// A run is read one item at a time.
type run struct {
	r    *bufio.Reader
	item Item
}

func (r *run) next() error {
	kind, err := r.r.ReadByte()
	if err != nil {
		return err
	}
	length, err := binary.ReadUvarint(r.r)
	if err != nil {
		return err
	}
	name := make([]byte, length)
	if _, err := io.ReadFull(r.r, name); err != nil {
		return err
	}
	r.item = Item{string(name), Kind(kind)}
	return nil
}

// runs is a heap of runs by their next item's name.
type runs []*run

func (h runs) Len() int           { return len(h) }
func (h runs) Less(i, j int) bool { return h[i].item.Name < h[j].item.Name }
func (h runs) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runs) Push(x any)        { *h = append(*h, x.(*run)) }
func (h *runs) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
