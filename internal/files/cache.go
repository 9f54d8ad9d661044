package files

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/zeebo/blake3"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// The stat cache is one file:
//
//	"same stat cache 1\n"
//	for each directory, in bytewise order:
//	    path, and the number of its entries
//	    for each entry, in bytewise order:
//	        name, dev, ino, size, mtime, ctime, mode, digest (32 bytes)
//	BLAKE3 of all that (32 bytes)
//
// Strings are preceded by their length. Numbers have 64 bits, lengths and
// counts 32, all little-endian. Only settled entries are saved.
const cacheMagic = "same stat cache 1\n"

// MaxCache is the maximum size of a stat cache in bytes: enough for about four
// million files.
const MaxCache = 512 << 20

const entryFixed = 6*8 + digest.Size

// A cache maps the path of each directory to its encoded entries.
type cache map[string]string

var errBadCache = errors.New("stat cache is damaged")

// Load reads the stat cache that an earlier run saved. If it is damaged, Load
// returns an error and uses nothing of it.
func (x *Index) Load(data []byte) error {
	c, err := parseCache(data)
	if err == nil {
		x.cache = c
	}
	return err
}

func parseCache(data []byte) (cache, error) {
	body, sum := data, []byte(nil)
	if len(data) >= len(cacheMagic)+digest.Size {
		body, sum = data[:len(data)-digest.Size], data[len(data)-digest.Size:]
	}
	if want := digest.Of(body); !bytes.Equal(sum, want[:]) || !bytes.HasPrefix(body, []byte(cacheMagic)) {
		return nil, errBadCache
	}
	rest, c := string(body[len(cacheMagic):]), cache{}
	for rest != "" {
		path, after, ok := cutString(rest)
		if !ok || len(after) < 4 {
			return nil, errBadCache
		}
		entries := after
		after = after[4:]
		n := binary.LittleEndian.Uint32([]byte(entries[:4]))
		if n == 0 || n > disk.MaxNames { // Save writes none such, and they would fill the memory
			return nil, errBadCache
		}
		for range n {
			if _, after, ok = cutString(after); !ok || len(after) < entryFixed {
				return nil, errBadCache
			}
			after = after[entryFixed:]
		}
		c[path] = entries[:len(entries)-len(after)]
		rest = after
	}
	return c, nil
}

func cutString(s string) (head, rest string, ok bool) {
	if len(s) < 4 {
		return "", "", false
	}
	n := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
	if uint64(len(s)-4) < n {
		return "", "", false
	}
	return s[4 : 4+n], s[4+n:], true
}

// entries decodes the entries of a directory.
func (c cache) entries(dir string) []entry {
	s, ok := c[dir]
	if !ok {
		return nil
	}
	entries := make([]entry, binary.LittleEndian.Uint32([]byte(s[:4])))
	s = s[4:]
	for i := range entries {
		e := &entries[i]
		e.name, s, _ = cutString(s)
		n := func() uint64 {
			v := binary.LittleEndian.Uint64([]byte(s[:8]))
			s = s[8:]
			return v
		}
		e.stamp = disk.Stamp{Dev: n(), Ino: n(), Size: int64(n()), Mtime: int64(n()), Ctime: int64(n()), Mode: uint32(n())}
		copy(e.digest[:], s)
		s = s[digest.Size:]
		e.settled = true
	}
	return entries
}

// Dirty reports whether there is anything to save that was not loaded.
func (x *Index) Dirty() bool { return x.dirty.Load() }

// Save writes the stat cache. Directories that this run did not read keep their
// loaded entries.
func (x *Index) Save(to io.Writer) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	known := maps.Clone(x.cache)
	if known == nil {
		known = cache{}
	}
	for p, d := range x.dirs {
		d.mu.Lock()
		known[p] = encode(d.entries)
		d.mu.Unlock()
	}
	h, buffered := blake3.New(), bufio.NewWriterSize(to, 64<<10)
	w := io.MultiWriter(h, buffered)
	_, _ = io.WriteString(w, cacheMagic)
	var buf []byte
	for _, p := range slices.Sorted(maps.Keys(known)) {
		if known[p] == "" {
			continue
		}
		buf = appendString(buf[:0], p)
		_, _ = w.Write(buf)
		_, _ = io.WriteString(w, known[p])
	}
	_, _ = buffered.Write(h.Sum(nil))
	return buffered.Flush() // returns the first error of any write
}

// encode returns the settled entries as the stat cache has them, or "" if there
// are none, or too many.
func encode(entries []entry) string {
	n := 0
	buf := []byte{0, 0, 0, 0}
	for i := range entries {
		e := &entries[i]
		if e.digest.IsZero() || !e.settled {
			continue
		}
		n++
		buf = appendString(buf, e.name)
		for _, v := range [...]uint64{e.stamp.Dev, e.stamp.Ino, uint64(e.stamp.Size), uint64(e.stamp.Mtime), uint64(e.stamp.Ctime), uint64(e.stamp.Mode)} {
			buf = binary.LittleEndian.AppendUint64(buf, v)
		}
		buf = append(buf, e.digest[:]...)
	}
	if n == 0 || n > disk.MaxNames {
		return ""
	}
	binary.LittleEndian.PutUint32(buf, uint32(n))
	return string(buf)
}

func appendString(buf []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(buf, uint32(len(s))), s...)
}
