// Package digest defines the digest of everything in .same: BLAKE3 with 256 bits,
// written as 64 lower-case hexadecimal digits.
//
// The digest of a file's content is plain BLAKE3, so `b3sum FILE` prints it.
// The digest of a list of parts is BLAKE3 in derive-key mode. The context names the
// kind of list. Each part is hashed after a tag and its length, so two different
// lists never have the same bytes.
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

// Of returns the digest of data.
func Of(data []byte) Digest { return blake3.Sum256(data) }

// Parse parses 64 lower-case hexadecimal digits.
func Parse(s string) (d Digest, err error) {
	err = d.UnmarshalText([]byte(s))
	return d, err
}

// IsZero reports whether d is the zero Digest, which means that there is none.
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText returns the text of String.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText parses the text of String. It refuses upper case, which would be a
// second name for the same blob.
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

// A Parts computes the digest of a list of parts.
type Parts struct {
	h    *blake3.Hasher
	pool *sync.Pool // to which Sum returns h
	buf  []byte
}

// pools maps each context to a pool of hashers. Deriving its key and allocating the
// 10 KiB of a hasher takes longer than hashing most lists.
var pools sync.Map

// NewParts begins a list. The context is a constant that names the project, the
// kind of list and its version.
func NewParts(context string) *Parts {
	pool, known := pools.Load(context)
	if !known {
		pool, _ = pools.LoadOrStore(context, &sync.Pool{New: func() any { return blake3.NewDeriveKey(context) }})
	}
	p := pool.(*sync.Pool)
	return &Parts{h: p.Get().(*blake3.Hasher), pool: p}
}

// Add appends a part to the list: a tag, the number of its fields, and each field
// after its length (64 bits, little-endian).
func (p *Parts) Add(tag byte, fields ...string) {
	p.buf = append(p.buf[:0], tag)
	p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(fields)))
	for _, f := range fields {
		p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(f)))
		p.buf = append(p.buf, f...)
	}
	_, _ = p.h.Write(p.buf) // a hasher never fails
}

// Sum returns the digest of the list. Parts must not be used afterwards.
func (p *Parts) Sum() (d Digest) {
	p.h.Sum(d[:0])
	p.h.Reset()
	p.pool.Put(p.h)
	p.h = nil
	return d
}
