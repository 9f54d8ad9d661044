package source

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// A Hash is a narHash: the SHA-256 of a NAR.
type Hash [sha256.Size]byte

// String returns the hash as Nix prints it, in the form of W3C's Subresource
// Integrity: sha256- and the padded base64 of the 32 bytes.
func (h Hash) String() string { return "sha256-" + base64.StdEncoding.EncodeToString(h[:]) }

// ParseHash parses what String returns. A hash has one spelling: anything that
// String does not return is an error.
func ParseHash(sri string) (Hash, error) {
	var h Hash
	text, ok := strings.CutPrefix(sri, "sha256-")
	if !ok {
		return h, fmt.Errorf("%q is not a narHash: it does not begin with %q", sri, "sha256-")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(h) || strings.ContainsAny(text, "\r\n") {
		return h, fmt.Errorf("%q is not a narHash: %q must be followed by the base64 of 32 bytes, 44 characters", sri, "sha256-")
	}
	return Hash(raw), nil
}

// The NAR format is that of "The Purely Functional Software Deployment Model"
// (Dolstra 2006, figure 5.2) and of Nix's src/libutil/archive.cc: strings are a
// little-endian 64-bit length, the bytes, and zeros up to a multiple of eight.
//
//	nar       = str("nix-archive-1") object
//	object    = str("(") str("type") body str(")")
//	body      = str("regular") [str("executable") str("")] str("contents") str(bytes)
//	          | str("symlink") str("target") str(target)
//	          | str("directory") { str("entry") str("(") str("name") str(name) str("node") object str(")") }

func str(parts ...string) string {
	var b []byte
	for _, s := range parts {
		b = appendString(b, s)
	}
	return string(b)
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	b = append(b, s...)
	return append(b, zeros[:padding(int64(len(s)))]...)
}

var zeros [8]byte

// padding returns the number of zeros after n bytes.
func padding(n int64) int { return int(-n & 7) }

var (
	narMagic      = str("nix-archive-1")
	narEntry      = str("entry", "(", "name")
	narNode       = str("node")
	narDirectory  = str("(", "type", "directory")
	narRegular    = str("(", "type", "regular", "contents")
	narExecutable = str("(", "type", "regular", "executable", "", "contents")
	narSymlink    = str("(", "type", "symlink", "target")
	narClose      = str(")")
)

// A step is one place of the NAR: a file or link, or the beginning or the end of
// a directory.
type step struct {
	node *Node
	end  bool
}

// steps returns the tree in the order of its NAR.
func (t *Tree) steps() ([]step, error) {
	var steps []step
	var add func(n *Node, depth int) error
	add = func(n *Node, depth int) error {
		if depth > maxDepth {
			return message.WithHint(fmt.Errorf("%q is %d levels deep, and Nix allows %d", t.abs(n.path), depth, maxDepth),
				"older versions of Nix allow more: pass their hash with --nar-hash")
		}
		if runtime.GOOS == "darwin" && strings.Contains(n.name(), "~nix~case~hack~") {
			return message.WithHint(fmt.Errorf("the name %q has a meaning for Nix on macOS (use-case-hack)", t.abs(n.path)),
				"pass the hash with --nar-hash")
		}
		steps = append(steps, step{node: n})
		if n.kind != disk.Directory {
			return nil
		}
		for i := range n.children {
			if c := &n.children[i]; !c.hidden {
				if err := add(c, depth+1); err != nil {
					return err
				}
			}
		}
		steps = append(steps, step{node: n, end: true})
		return nil
	}
	return steps, add(&t.root, 0)
}

// appendBefore appends the NAR up to the contents of a file, or the whole of any
// other step.
func (s step) appendBefore(b []byte, target string) []byte {
	n := s.node
	if s.end {
		b = append(b, narClose...)
		return s.appendAfter(b)
	}
	if n.path == "" {
		b = append(b, narMagic...)
	} else {
		b = append(b, narEntry...)
		b = appendString(b, n.name())
		b = append(b, narNode...)
	}
	switch n.kind {
	case disk.Directory:
		return append(b, narDirectory...)
	case disk.Link:
		b = append(b, narSymlink...)
		b = appendString(b, target)
		b = append(b, narClose...)
		return s.appendAfter(b)
	}
	if n.stamp.Executable() {
		b = append(b, narExecutable...)
	} else {
		b = append(b, narRegular...)
	}
	return binary.LittleEndian.AppendUint64(b, uint64(n.stamp.Size))
}

// appendAfter closes the entry of the step's object.
func (s step) appendAfter(b []byte) []byte {
	if s.node.path != "" {
		b = append(b, narClose...)
	}
	return b
}

// appendContentEnd appends the NAR after the contents of a file.
func (s step) appendContentEnd(b []byte) []byte {
	b = append(b, zeros[:padding(s.node.stamp.Size)]...)
	b = append(b, narClose...)
	return s.appendAfter(b)
}

// SHA-256 needs its bytes in order, so one core hashes and does nothing else.
// Workers take the next stretch of the NAR, read its files and frame them in one
// buffer; the hash sees only full buffers. A stretch is many small files or a piece
// of a large one, so neither the sizes of files nor their number matter. All
// buffers together must fit into a core's second-level cache: with four times as
// much, hashing takes a fifth longer.
const (
	stretchSize = 64 << 10  // 64 KiB of contents or more: enough to make handing over cheap
	pieceSize   = 128 << 10 // 128 KiB: larger files are read in pieces of this size
	stepCost    = 256       // bytes: the cost of a step beside its contents
	buffers     = 8         // stretches in memory
)

// A stretch is a run of steps, or a piece of one large file.
type stretch struct {
	steps  []step
	offset int64 // of the piece in its file
	length int64 // of the piece; 0 for a run of whole steps
	large  *largeFile
}

// A largeFile is a file that is read in pieces. It is opened for the first piece
// and closed after the last.
type largeFile struct {
	open sync.Once
	fd   int
	err  error
	left atomic.Int64 // pieces
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
		if s.node.kind == disk.File && s.node.stamp.Size > pieceSize {
			flush(i)
			large := &largeFile{fd: -1}
			large.left.Store((s.node.stamp.Size + pieceSize - 1) / pieceSize)
			for off := int64(0); off < s.node.stamp.Size; off += pieceSize {
				all = append(all, stretch{steps: steps[i : i+1], offset: off, length: min(pieceSize, s.node.stamp.Size-off), large: large})
			}
			first = i + 1
			continue
		}
		size += stepCost
		if s.node.kind == disk.File {
			size += s.node.stamp.Size
		}
		if size >= stretchSize {
			flush(i + 1)
		}
	}
	flush(len(steps))
	return all
}

// size returns how many bytes of files' contents s has.
func (s stretch) size() int64 {
	if s.length > 0 {
		return s.length
	}
	var n int64
	for _, st := range s.steps {
		if st.node.kind == disk.File {
			n += st.node.stamp.Size
		}
	}
	return n
}

// NarHash reads the tree and returns the SHA-256 of its NAR. The error is a
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
				// A worker takes a buffer before a stretch, so the stretch that
				// the hash is waiting for always has a buffer.
				var b []byte
				select {
				case b = <-free:
				case <-running.Done():
					return running.Err()
				}
				i := int(next.Add(1)) - 1
				if i >= len(stretches) {
					free <- b // so that the next worker sees the end too
					return nil
				}
				b, err := t.appendStretch(b[:0], stretches[i])
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
		for _, s := range stretches {
			if s.large != nil {
				s.large.close()
			}
		}
		return Hash{}, err
	}
	return Hash(h.Sum(nil)), t.unchanged(ctx)
}

// counter returns a function that reports one stretch after another to
// t.progress.
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
func (t *Tree) appendStretch(b []byte, s stretch) ([]byte, error) {
	var err error
	for _, st := range s.steps {
		n := st.node
		var target string
		if n.kind == disk.Link {
			if target, err = t.Target(n); err != nil {
				return nil, err
			}
		}
		if s.offset == 0 {
			b = st.appendBefore(b, target)
		}
		if n.kind != disk.File {
			continue
		}
		offset, length := s.offset, n.stamp.Size
		if s.large != nil {
			length = s.length
		}
		contents, ok, err := t.contents(n)
		switch {
		case err != nil:
		case ok:
			b = append(b, contents[offset:offset+length]...)
		case s.large != nil:
			b, err = t.appendLarge(b, s)
		default:
			b, err = t.appendFile(b, n)
		}
		if err != nil {
			return nil, err
		}
		if offset+length == n.stamp.Size {
			b = st.appendContentEnd(b)
		}
	}
	return b, nil
}

// appendLarge appends a piece of a large file to b.
func (t *Tree) appendLarge(b []byte, s stretch) ([]byte, error) {
	n, l := s.steps[0].node, s.large
	l.open.Do(func() { l.fd, l.err = t.open(n) })
	if l.err != nil {
		return b, l.err
	}
	b, err := t.appendPiece(b, l.fd, n, s.offset, s.length)
	if err == nil && l.left.Add(-1) == 0 {
		err = t.check(l.fd, n)
		l.close()
	}
	return b, err
}

func (l *largeFile) close() {
	if l.fd >= 0 {
		unix.Close(l.fd)
		l.fd = -1
	}
}
