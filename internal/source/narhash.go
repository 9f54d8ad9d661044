package source

import (
	"context"
	"crypto/sha256"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// How the NAR is cut for reading. A SHA-256 has to see its bytes in order, one
// core at a time, so everything else is kept off that core: workers take the
// next stretch of the NAR, read its files and frame them in one buffer, and the
// hash sees nothing but full buffers. A stretch is many small files or a piece
// of a large one, so neither a file's size nor their number matters. All buffers
// together have to fit into a core's second-level cache: four times as much
// takes a fifth longer.
const (
	stretchSize = 64 << 10  // 64 KiB of contents or more: enough to make handing over cheap
	pieceSize   = 128 << 10 // 128 KiB: larger files are read in pieces of this size
	stepCost    = 256       // bytes: what a step counts beyond its contents
	buffers     = 8         // stretches in memory at once
)

// A stretch is a run of steps, or a piece of one large file.
type stretch struct {
	steps  []step
	offset int64 // of the piece in its file
	length int64 // of the piece; 0 for a run of whole steps
}

func cut(steps []step) []stretch {
	var all []stretch
	first, size := 0, int64(0)
	flush := func(end int) {
		if end > first {
			all = append(all, stretch{steps: steps[first:end]})
		}
		first, size = end, 0
	}
	for i, s := range steps {
		if s.node.kind == regular && s.node.stamp.Size > pieceSize {
			flush(i)
			for off := int64(0); off < s.node.stamp.Size; off += pieceSize {
				all = append(all, stretch{steps: steps[i : i+1], offset: off, length: min(pieceSize, s.node.stamp.Size-off)})
			}
			first = i + 1
			continue
		}
		size += stepCost
		if s.node.kind == regular {
			size += s.node.stamp.Size
		}
		if size >= stretchSize {
			flush(i + 1)
		}
	}
	flush(len(steps))
	return all
}

// size is how many bytes of files' contents s stands for.
func (s stretch) size() int64 {
	if s.length > 0 {
		return s.length
	}
	var n int64
	for _, st := range s.steps {
		if st.node.kind == regular {
			n += st.node.stamp.Size
		}
	}
	return n
}

// NarHash reads the tree and gives the SHA-256 of its NAR. The error is a
// *ChangedError if something wrote to the tree meanwhile. A flake that Nix
// refuses, or whose narHash is not that of the tree on disk, is an error too.
func (t *Tree) NarHash(ctx context.Context) (Hash, error) {
	if err := t.checkFlake(); err != nil {
		return Hash{}, err
	}
	steps, err := t.steps()
	if err != nil {
		return Hash{}, err
	}
	root, err := t.openRoot()
	if err != nil {
		return Hash{}, err
	}
	defer unix.Close(root)
	stretches := cut(steps)
	ready := make([]chan []byte, len(stretches))
	for i := range ready {
		ready[i] = make(chan []byte, 1)
	}
	free := make(chan []byte, buffers)
	for range buffers {
		free <- make([]byte, 0, stretchSize+pieceSize)
	}
	group, running := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(buffers, max(2, runtime.GOMAXPROCS(0))) {
		group.Go(func() error {
			for {
				// The buffer comes first, then the number: whoever has the
				// stretch that the hash waits for can always fill it.
				var b []byte
				select {
				case b = <-free:
				case <-running.Done():
					return running.Err()
				}
				i := int(next.Add(1)) - 1
				if i >= len(stretches) {
					free <- b // for the next worker, who then sees the end too
					return nil
				}
				b, err := t.appendStretch(b[:0], root, stretches[i])
				if err != nil {
					return err
				}
				ready[i] <- b
			}
		})
	}
	h := sha256.New()
	group.Go(func() error {
		hashed := t.counter(stretches)
		for i := range ready {
			select {
			case b := <-ready[i]:
				h.Write(b)
				free <- b
				hashed(stretches[i])
			case <-running.Done():
				return running.Err()
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return Hash{}, err
	}
	return Hash(h.Sum(nil)), t.unchanged(ctx)
}

// counter gives a function that tells t.progress of one stretch after another.
func (t *Tree) counter(stretches []stretch) func(stretch) {
	if t.progress == nil {
		return func(stretch) {}
	}
	var done, total int64
	for _, s := range stretches {
		total += s.size()
	}
	return func(s stretch) {
		done += s.size()
		t.progress(done, total)
	}
}

// appendStretch appends the NAR of s to b.
func (t *Tree) appendStretch(b []byte, root int, s stretch) ([]byte, error) {
	var err error
	for _, st := range s.steps {
		var target string
		if st.node.kind == link {
			if target, err = t.readLink(st.node); err != nil {
				return nil, err
			}
		}
		if s.offset == 0 {
			b = st.appendBefore(b, target)
		}
		if st.node.kind != regular {
			continue
		}
		length := st.node.stamp.Size
		if s.length > 0 {
			length = s.length
		}
		if b, err = t.appendFile(b, root, st.node, s.offset, length); err != nil {
			return nil, err
		}
		if s.offset+length == st.node.stamp.Size {
			b = st.appendContentEnd(b)
		}
	}
	return b, nil
}
