package seal

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"cachekey/internal/key"
)

// A Writer writes a seal, entry by entry.
type Writer struct {
	w    *bufio.Writer
	sum  *summer
	line []byte // the last entry, not yet written: what ends it depends on what follows
}

// NewWriter begins a seal with its first line. The MAC's key may be nil.
func NewWriter(w io.Writer, doc *key.Document, k *MACKey) (*Writer, error) {
	sum, err := newSummer(k)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("writing the key's document: %w", err)
	}
	if len(text) > maxHeader {
		return nil, fmt.Errorf("the key's document has %d bytes, a seal takes %d", len(text), maxHeader)
	}
	s := &Writer{w: bufio.NewWriterSize(w, 1<<16), sum: sum}
	s.put([]byte(`{"seal":"` + Schema + `","key":`))
	s.put(text)
	s.put([]byte(`,"entries":[` + "\n"))
	return s, nil
}

// Add writes one entry. Entries come in the order that disk.Compare defines.
func (s *Writer) Add(e Entry) {
	if len(s.line) > 0 {
		s.put(append(s.line, ",\n"...))
	}
	s.line = appendEntry(s.line[:0], e)
}

// Close writes the end and gives the first error that any write met.
func (s *Writer) Close() error {
	if len(s.line) > 0 {
		s.put(append(s.line, '\n'))
	}
	s.put([]byte("],\n"))
	digest := s.sum.digest()
	fmt.Fprintf(s.w, `"digest":"%s"`, hex.EncodeToString(digest[:]))
	if s.sum.keyed != nil {
		mac := s.sum.mac()
		fmt.Fprintf(s.w, `,"mac":"%s"`, hex.EncodeToString(mac[:]))
	}
	s.w.WriteString("}\n")
	return s.w.Flush()
}

// put writes b; bufio.Writer keeps the first error until Flush.
func (s *Writer) put(b []byte) {
	s.sum.write(b)
	s.w.Write(b)
}
