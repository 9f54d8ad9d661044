package dotsame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// A blob that came from a cache may have other contents than its name says. It is proven
// once its bytes were hashed on this machine and found right, for as long as its stamp
// does not change. Only then may somebody's file be removed because the blob has its
// contents, or a copy be spared.

// Proofs are the stamps of proven blobs, by digest. Its methods may be called
// concurrently. The file ProvenBlobs keeps those after which every later write changes
// the stamp; it is
//
//	"same proven blobs 1\n"
//	the number of entries when those of removed blobs were last left out
//	for each blob, in order of digest:
//	    digest (32 bytes), dev, ino, size, mtime, ctime, mode
//	BLAKE3 of all that (32 bytes)
//
// with numbers of 64 bits, little-endian.
type Proofs struct {
	saved  []byte // the entries of the file
	before uint64 // the number in the file

	mu    sync.Mutex
	found map[digest.Digest]proof // more of them
	dirty bool                    // found has some that the file can keep

	opened clock // read before any blob was
}

type proof struct {
	stamp   disk.Stamp
	settled bool // every later write changes the stamp
	written bool // by this process: it settles as time goes by
}

// A clock is a time on a file system: every later write there has this stamp or a later
// one.
type clock struct {
	now int64
	dev uint64 // ^0: of this machine, less a margin
}

func (d *Dir) clock() clock {
	c := clock{time.Now().Add(-clockMargin).UnixNano(), ^uint64(0)}
	if f, err := d.Temp(); err == nil {
		if st, err := disk.Fstat(int(f.Fd())); err == nil {
			c = clock{st.Mtime, st.Dev}
		}
		f.Close()
		os.Remove(f.Name())
	}
	return c
}

// after reports whether c is later than a stamp.
func (c clock) after(st disk.Stamp) bool {
	now := c.now
	if c.dev != st.Dev && c.dev != ^uint64(0) {
		now -= int64(clockMargin)
	}
	return max(st.Mtime, st.Ctime) < now
}

const (
	proofMagic = "same proven blobs 1\n"
	proofEntry = digest.Size + 6*8
	maxProofs  = 64 << 20 / proofEntry
)

// clockMargin is how much older a blob must be on a file system whose clock was not
// read. FAT, the coarsest, has ticks of two seconds.
const clockMargin = 3 * time.Second

// Proofs returns the proofs of d's blobs. Without a file, or with a damaged one, no blob
// is proven.
func (d *Dir) Proofs() *Proofs {
	d.proveOnce.Do(func() {
		p := &Proofs{found: map[digest.Digest]proof{}, opened: d.clock()}
		data, err := d.ReadFile(ProvenBlobs, int64(len(proofMagic)+8+maxProofs*proofEntry+digest.Size))
		if err == nil {
			p.saved, p.before, _ = parseProofs(data)
		}
		d.proofs = p
	})
	return d.proofs
}

func parseProofs(data []byte) (entries []byte, before uint64, err error) {
	end := len(data) - digest.Size
	rest, ok := bytes.CutPrefix(data[:max(end, 0)], []byte(proofMagic))
	if sum := digest.Of(data[:max(end, 0)]); !ok || !bytes.Equal(data[end:], sum[:]) || len(rest) < 8 || (len(rest)-8)%proofEntry != 0 {
		return nil, 0, errors.New("damaged")
	}
	return rest[8:], binary.LittleEndian.Uint64(rest), nil
}

// Has reports whether the blob of this digest is proven if it has this stamp.
func (p *Proofs) Has(d digest.Digest, st disk.Stamp) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.found[d]; ok {
		return known.stamp == st
	}
	n := len(p.saved) / proofEntry
	lo, hi := 0, n
	for lo < hi {
		mid := (lo + hi) / 2
		if bytes.Compare(p.saved[mid*proofEntry:][:digest.Size], d[:]) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == n || !bytes.HasPrefix(p.saved[lo*proofEntry:], d[:]) {
		return false
	}
	return bytes.Equal(appendProof(nil, d, st), p.saved[lo*proofEntry:][:proofEntry])
}

// Add records that the blob of this digest was found right. The stamp was taken before
// its bytes were read.
func (p *Proofs) Add(d digest.Digest, st disk.Stamp) {
	p.mu.Lock()
	defer p.mu.Unlock()
	settled := p.opened.after(st)
	p.found[d] = proof{stamp: st, settled: settled}
	p.dirty = p.dirty || settled
}

// written records that this process has written the blob of this digest.
func (p *Proofs) written(d digest.Digest, st disk.Stamp) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found[d] = proof{stamp: st, written: true}
	p.dirty = true
}

func appendProof(b []byte, d digest.Digest, st disk.Stamp) []byte {
	b = append(b, d[:]...)
	for _, v := range [...]uint64{st.Dev, st.Ino, uint64(st.Size), uint64(st.Mtime), uint64(st.Ctime), uint64(st.Mode)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// encode returns the file, at the time now. exists reports whether there is still a blob
// of a digest.
func (p *Proofs) encode(now clock, exists func(digest.Digest) bool) []byte {
	all := map[digest.Digest][]byte{}
	for entry := range slices.Chunk(p.saved, proofEntry) {
		all[digest.Digest(entry[:digest.Size])] = entry
	}
	for d, found := range p.found {
		// Nobody else writes to a blob, least of all at the moment at which we have.
		if delete(all, d); found.settled || found.written && now.after(found.stamp) {
			all[d] = appendProof(nil, d, found.stamp)
		}
	}
	before := p.before
	if n := uint64(len(all)); n > max(2*before, 10_000) {
		maps.DeleteFunc(all, func(d digest.Digest, _ []byte) bool { return !exists(d) })
		before = uint64(len(all))
	}
	b := binary.LittleEndian.AppendUint64([]byte(proofMagic), before)
	left := maxProofs
	for _, d := range slices.SortedFunc(maps.Keys(all), func(a, b digest.Digest) int { return bytes.Compare(a[:], b[:]) }) {
		if left--; left >= 0 {
			b = append(b, all[d]...)
		}
	}
	sum := digest.Of(b)
	return append(b, sum[:]...)
}

// SaveProofs writes the proofs that were added for later processes. The caller must hold
// the run lock, and be done with d.
func (d *Dir) SaveProofs() error {
	p := d.proofs
	if p == nil || !p.dirty {
		return nil
	}
	return d.WriteFile(ProvenBlobs, p.encode(d.clock(), func(blob digest.Digest) bool {
		_, err := disk.Lstat(d.Path(BlobPath(blob)))
		return err == nil
	}))
}
