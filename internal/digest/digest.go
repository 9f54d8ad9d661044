// Package digest has the one digest of everything that same remembers:
// BLAKE3 with 256 bits, written as 64 lower-case hexadecimal digits.
//
// The digest of a file's content is plain BLAKE3, so `b3sum FILE` prints it.
// The digest of anything with parts is BLAKE3 in derive-key mode under a context
// that names what it is, over its parts, each with a tag and a length in front:
// no two different lists of parts have the same bytes.
package digest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/zeebo/blake3"
)

// Size is the length of a digest in bytes.
const Size = 32

// A Digest is a BLAKE3 hash of 256 bits.
type Digest [Size]byte

// Of gives the digest of data.
func Of(data []byte) Digest { return blake3.Sum256(data) }

// Parse reads 64 lower-case hexadecimal digits.
func Parse(s string) (d Digest, err error) {
	err = d.UnmarshalText([]byte(s))
	return d, err
}

// IsZero says whether d is no digest at all.
func (d Digest) IsZero() bool { return d == Digest{} }

// String gives 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes what String gives.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads what String gives, and nothing else: upper case would be
// a second name for one blob.
func (d *Digest) UnmarshalText(text []byte) error {
	var out Digest
	if len(text) != 2*Size {
		return fmt.Errorf("digest %.70q is not 64 hexadecimal digits", text)
	}
	if _, err := hex.Decode(out[:], text); err != nil || out.String() != string(text) {
		return fmt.Errorf("digest %.70q is not 64 lower-case hexadecimal digits", text)
	}
	*d = out
	return nil
}

// A Parts is the digest of a list of parts in the making.
type Parts struct {
	h    *blake3.Hasher
	pool *sync.Pool // that h goes back to
	buf  []byte
}

// pools has for each context a pool of hashers: deriving its key and making the
// 10 KiB of a hasher take longer than hashing most lists.
var pools sync.Map

// NewParts begins a list. The context names project, thing and version; it is
// never made of input.
func NewParts(context string) *Parts {
	pool, known := pools.Load(context)
	if !known {
		pool, _ = pools.LoadOrStore(context, &sync.Pool{New: func() any { return blake3.NewDeriveKey(context) }})
	}
	p := pool.(*sync.Pool)
	return &Parts{h: p.Get().(*blake3.Hasher), pool: p}
}

// Add puts a part on the list: a tag, the number of its fields, and every field
// behind its length (64 bits, little-endian).
func (p *Parts) Add(tag byte, fields ...string) {
	p.buf = append(p.buf[:0], tag)
	p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(fields)))
	for _, f := range fields {
		p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(f)))
		p.buf = append(p.buf, f...)
	}
	_, _ = p.h.Write(p.buf) // a hasher never fails
}

// Sum gives the digest of the list and ends it.
func (p *Parts) Sum() (d Digest) {
	p.h.Sum(d[:0])
	p.h.Reset()
	p.pool.Put(p.h)
	p.h = nil
	return d
}
