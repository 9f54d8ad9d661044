package key

import (
	"encoding/binary"
	"encoding/hex"
	"io"

	"github.com/nix-community/go-nix/pkg/nixbase32"
	"github.com/zeebo/blake3"
)

// digestSize is 160 bits: in Nix's base 32 they are 32 characters, as in a
// store path, and enough that nobody finds two ingredients with one digest.
const digestSize = 20 // bytes

// Context is the context string for BLAKE3's derive-key mode in which the
// ingredient called name is hashed, so that no two uses of the hash can meet.
func Context(name string) string { return "cachekey " + Schema + " " + name }

// A digest hashes one ingredient. What is written is framed: every value has
// its length before it, so that two different sequences of values are never
// the same bytes.
type digest struct{ *blake3.Hasher }

func newDigest(name string) digest { return digest{blake3.NewDeriveKey(Context(name))} }

// length writes n as 64 bits, little-endian.
func (d digest) length(n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	d.Write(b[:])
}

func (d digest) string(s string) {
	d.length(int64(len(s)))
	d.WriteString(s)
}

// entry writes one entry of an ingredient and gives the BLAKE3 of its contents
// alone, in hexadecimal: what b3sum prints. The contents, size bytes of them,
// are what write writes.
func (d digest) entry(path string, kind byte, size int64, write func(io.Writer) error) (string, error) {
	d.string(path)
	d.Write([]byte{kind})
	d.length(size)
	own := blake3.New()
	if err := write(io.MultiWriter(d.Hasher, own)); err != nil {
		return "", err
	}
	return hex.EncodeToString(own.Sum(nil)), nil
}

// segment gives the digest as it stands in a key.
func (d digest) segment() string {
	var b [digestSize]byte
	_, _ = d.Digest().Read(b[:]) // an extendable output never ends
	return nixbase32.EncodeToString(b[:])
}
