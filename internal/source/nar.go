package source

import (
	"cachekey/internal/message"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
)

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

// padding is the number of zeros after n bytes.
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

// A step is what stands in the NAR in one place: a leaf, or the beginning or
// the end of a directory.
type step struct {
	node *node
	end  bool
}

// steps flattens the tree into the order of its NAR.
func (t *Tree) steps() ([]step, error) {
	var steps []step
	var add func(n *node, depth int) error
	add = func(n *node, depth int) error {
		if depth > maxDepth {
			return message.WithHint(fmt.Errorf("%q lies %d levels deep, and Nix allows %d", t.abs(n.path), depth, maxDepth),
				"older versions of Nix allow more: give their hash with --nar-hash")
		}
		if runtime.GOOS == "darwin" && strings.Contains(n.name(), "~nix~case~hack~") {
			return message.WithHint(fmt.Errorf("the name %q has a meaning for Nix on macOS (use-case-hack)", t.abs(n.path)),
				"give the hash with --nar-hash")
		}
		steps = append(steps, step{node: n})
		if n.kind != directory {
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

// appendBefore appends what stands in the NAR before the contents of a file,
// or all there is to the step if it is not a file.
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
	case directory:
		return append(b, narDirectory...)
	case link:
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

// appendAfter closes the entry that the step's object stands in.
func (s step) appendAfter(b []byte) []byte {
	if s.node.path != "" {
		b = append(b, narClose...)
	}
	return b
}

// appendContentEnd appends what follows the contents of a file.
func (s step) appendContentEnd(b []byte) []byte {
	b = append(b, zeros[:padding(s.node.stamp.Size)]...)
	b = append(b, narClose...)
	return s.appendAfter(b)
}
