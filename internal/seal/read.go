package seal

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/key"
)

// A Reader reads a seal, entry by entry. Nothing that it gives may be relied on
// before Next has given io.EOF, which it does only at the end of a seal that is
// whole.
type Reader struct {
	Doc   key.Document
	Keyed bool // whether the seal has a MAC; known at the end

	r       *bufio.Reader
	sum     *summer
	last    string   // the last entry's path
	parents []string // the directories that the last entry lies in, and itself if it is one
	comma   bool     // whether the last entry's line promised another
	entries int
	total   int64
}

// Reasons to refuse a seal as a whole, apart from its being foreign.
var (
	ErrUnkeyed  = errors.New("it has no MAC, and " + SecretVariable + " asks for one")
	ErrWrongMAC = errors.New("its MAC is not of this " + SecretVariable)
)

// NewReader begins to read a seal. With k it must have the right MAC.
func NewReader(r io.Reader, k *MACKey) (*Reader, error) {
	sum, err := newSummer(k)
	if err != nil {
		return nil, err
	}
	s := &Reader{r: bufio.NewReaderSize(r, 1<<16), sum: sum}
	line, err := s.longLine()
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	doc, ok := bytes.CutPrefix(line, []byte(`{"seal":"`+Schema+`","key":`))
	doc, ok2 := bytes.CutSuffix(doc, []byte(`,"entries":[`+"\n"))
	if !ok || !ok2 {
		return nil, fmt.Errorf("line 1: not the beginning of a seal of version %s: %.40q", Schema, line)
	}
	if err := json.Unmarshal(doc, &s.Doc); err != nil {
		return nil, fmt.Errorf("line 1: the key's document: %w", err)
	}
	s.sum.write(line)
	return s, nil
}

// Next gives the next entry, and io.EOF at the end of a whole seal. Every other error means
// that the seal is broken.
func (s *Reader) Next() (Entry, error) {
	line, err := s.r.ReadSlice('\n')
	if err != nil {
		return Entry{}, s.broken(early(err))
	}
	if string(line) == "],\n" && !s.comma {
		s.sum.write(line)
		return Entry{}, s.end()
	}
	if s.entries > 0 && !s.comma {
		return Entry{}, s.broken(errors.New("an entry after the last"))
	}
	s.sum.write(line)
	text := line[:len(line)-1]
	text, s.comma = bytes.CutSuffix(text, []byte(","))
	e, err := parseEntry(text)
	if err == nil {
		err = s.follows(e)
	}
	if err != nil {
		return Entry{}, s.broken(err)
	}
	return e, nil
}

// Check reads all that is left and says whether the sums at the end are right:
// nil if so. What the entries say is for Next to judge.
func (s *Reader) Check() error {
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return s.broken(early(err))
		}
		s.sum.write(line)
		if string(line) == "],\n" {
			break
		}
		s.entries++
	}
	if err := s.end(); err != io.EOF {
		return err
	}
	return nil
}

// follows checks e against all that came before.
func (s *Reader) follows(e Entry) error {
	if s.entries > 0 && disk.Compare(s.last, e.Path) >= 0 {
		return fmt.Errorf("%q comes after %q", e.Path, s.last)
	}
	up := strings.LastIndexByte(e.Path, '/')
	if up < 0 && !e.Dir {
		return fmt.Errorf("%q is not a directory", e.Path)
	}
	for len(s.parents) > 0 && (up < 0 || s.parents[len(s.parents)-1] != e.Path[:up]) {
		s.parents = s.parents[:len(s.parents)-1]
	}
	if up >= 0 && len(s.parents) == 0 {
		return fmt.Errorf("%q is in no directory of the seal", e.Path)
	}
	if e.Dir {
		s.parents = append(s.parents, e.Path)
	}
	s.last = e.Path
	s.entries++
	s.total += e.Size
	if s.entries > MaxEntries || s.total > MaxTotalSize {
		return fmt.Errorf("more than %d entries or %d bytes", MaxEntries, int64(MaxTotalSize))
	}
	return nil
}

// end checks the last line, which sums up all others.
func (s *Reader) end() error {
	line, err := s.longLine()
	if err != nil {
		return s.broken(err)
	}
	text, ok := bytes.CutPrefix(line, []byte(`"digest":"`))
	text, ok2 := bytes.CutSuffix(text, []byte(`"}`+"\n"))
	sum, mac, keyed := bytes.Cut(text, []byte(`","mac":"`))
	if !ok || !ok2 {
		return s.broken(fmt.Errorf("not the end of a seal: %.80q", line))
	}
	want, err := digest.Parse(string(sum))
	if err != nil {
		return s.broken(err)
	}
	if want != s.sum.digest() {
		return s.broken(errors.New("its digest is not of what is above it"))
	}
	var wantMAC digest.Digest
	if keyed {
		if wantMAC, err = digest.Parse(string(mac)); err != nil {
			return s.broken(err)
		}
	}
	if _, err := s.r.ReadByte(); err != io.EOF {
		return s.broken(errors.New("something after the end"))
	}
	s.Keyed = keyed
	if s.sum.keyed != nil {
		if !keyed {
			return ErrUnkeyed
		}
		got := s.sum.mac()
		if subtle.ConstantTimeCompare(got[:], wantMAC[:]) != 1 {
			return ErrWrongMAC
		}
	}
	return io.EOF
}

func (s *Reader) broken(err error) error {
	return fmt.Errorf("line %d: %w", s.entries+2, err)
}

// longLine reads a line of at most maxHeader bytes.
func (s *Reader) longLine() ([]byte, error) {
	var line []byte
	for {
		part, err := s.r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, early(err)
		}
		if len(line) > maxHeader+64 {
			return nil, fmt.Errorf("longer than %d bytes", maxHeader)
		}
	}
}

func early(err error) error {
	if err == io.EOF {
		return errors.New("it ends too early")
	}
	return err
}
