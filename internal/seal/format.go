package seal

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/zeebo/blake3"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/key"
)

// The fixed parts of a seal. Every line ends with a newline.
const (
	headStart = `{"seal":"` + Schema + `","key":`
	headEnd   = `,"entries":[` + "\n"
	listEnd   = "],\n"
)

// sums hash all lines of a seal but the last.
type sums struct {
	plain *blake3.Hasher
	keyed *blake3.Hasher // nil without a secret
}

func newSums(k *MACKey) *sums {
	s := &sums{plain: blake3.New()}
	if k != nil {
		s.keyed, _ = blake3.NewKeyed(k[:]) // an error is of another length than 32 bytes
	}
	return s
}

func (s *sums) write(b []byte) {
	_, _ = s.plain.Write(b) // a hasher never fails
	if s.keyed != nil {
		_, _ = s.keyed.Write(b)
	}
}

func sumOf(h *blake3.Hasher) (sum digest.Digest) {
	h.Sum(sum[:0])
	return sum
}

// A Writer writes a seal.
type Writer struct {
	w     *bufio.Writer
	sums  *sums
	line  []byte // the last entry after its separator, not yet written: see Undo
	begun bool   // an entry has been written
}

// NewWriter writes the first line of a seal. Without a secret, k is nil.
func NewWriter(w io.Writer, doc *key.Document, k *MACKey) (*Writer, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("writing the key's document: %w", err)
	}
	if len(text) > maxHeader {
		return nil, fmt.Errorf("the key's document has %d bytes, more than the limit of %d", len(text), maxHeader)
	}
	s := &Writer{w: bufio.NewWriterSize(w, 1<<16), sums: newSums(k)}
	s.put([]byte(headStart))
	s.put(text)
	s.put([]byte(headEnd))
	return s, nil
}

// Add writes one entry. Entries must be added in the order of disk.Compare.
func (s *Writer) Add(e Entry) {
	s.flush()
	if s.begun {
		s.line = append(s.line, ",\n"...)
	}
	e.blob = !e.Dir && isBlob(e.Path)
	s.line = appendEntry(s.line, e)
}

// Undo takes back the last Add.
func (s *Writer) Undo() { s.line = s.line[:0] }

func (s *Writer) flush() {
	s.begun = s.begun || len(s.line) > 0
	s.put(s.line)
	s.line = s.line[:0]
}

// Close writes the end of the seal. It returns the first error of any write.
func (s *Writer) Close() error {
	if s.flush(); s.begun {
		s.put([]byte("\n"))
	}
	s.put([]byte(listEnd))
	fmt.Fprintf(s.w, `"digest":"%s"`, sumOf(s.sums.plain))
	if s.sums.keyed != nil {
		fmt.Fprintf(s.w, `,"mac":"%s"`, sumOf(s.sums.keyed))
	}
	s.w.WriteString("}\n")
	return s.w.Flush()
}

// put writes b; bufio.Writer keeps the first error until Flush.
func (s *Writer) put(b []byte) {
	s.sums.write(b)
	s.w.Write(b)
}

// appendEntry appends the line of e up to the closing brace.
func appendEntry(b []byte, e Entry) []byte {
	b = append(b, `{"path":"`...)
	b = append(b, e.Path...)
	if e.Dir {
		return append(b, `","type":"d"}`...)
	}
	b = append(b, `","type":"f","size":`...)
	b = strconv.AppendInt(b, e.Size, 10)
	if e.blob {
		return append(b, '}')
	}
	b = append(b, `,"digest":"`...)
	b = hex.AppendEncode(b, e.Digest[:])
	return append(b, `"}`...)
}

// A Reader reads a seal. The entries must not be relied on before Next has
// returned io.EOF, which means that the whole seal is valid.
type Reader struct {
	Doc   key.Document // decoded at the end, when the sums have been found right
	Keyed bool         // whether the seal has a MAC; set at the end

	doc     []byte // the text of Doc; nil if it is not decoded
	r       *bufio.Reader
	sums    *sums
	last    string   // path of the last entry
	parents []string // the directories above the last entry, and itself if it is one
	comma   bool     // whether another entry must follow
	entries int
	total   int64  // bytes
	line    []byte // a buffer
}

// Errors of a seal without the right MAC.
var (
	ErrUnkeyed  = errors.New("it has no MAC, but " + SecretVariable + " is set")
	ErrWrongMAC = errors.New("its MAC does not match " + SecretVariable)
)

// NewReader reads the first line of a seal. If k is not nil, the seal must have
// the right MAC.
func NewReader(r io.Reader, k *MACKey) (*Reader, error) {
	s := &Reader{r: bufio.NewReaderSize(r, 1<<16), sums: newSums(k), entries: -1}
	line, err := s.longLine()
	if err != nil {
		return nil, s.at(err)
	}
	doc, ok := bytes.CutPrefix(line, []byte(headStart))
	doc, ok2 := bytes.CutSuffix(doc, []byte(headEnd))
	if !ok || !ok2 {
		return nil, s.at(fmt.Errorf("not a seal of version %s: %.40q", Schema, line))
	}
	s.doc = doc
	s.sums.write(line)
	s.entries = 0
	return s, nil
}

// Next returns the next entry, or io.EOF at the end of a valid seal. Every other
// error means that the seal is invalid.
func (s *Reader) Next() (e Entry, err error) {
	line, err := s.r.ReadSlice('\n')
	if err != nil {
		return e, s.at(unexpected(err))
	}
	s.sums.write(line)
	if string(line) == listEnd && !s.comma {
		return e, s.end()
	}
	if s.entries > 0 && !s.comma {
		return e, s.at(errors.New("no comma before an entry"))
	}
	text := line[:len(line)-1]
	text, s.comma = bytes.CutSuffix(text, []byte(","))
	if e, err = s.parse(text); err == nil {
		err = s.checkOrder(e)
	}
	return e, s.at(err)
}

// Check reads the rest of the seal and returns nil if the sums at its end are
// right. It does not parse the entries.
func (s *Reader) Check() error {
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return s.at(unexpected(err))
		}
		s.sums.write(line)
		if string(line) == listEnd {
			break
		}
		if s.entries++; s.entries > MaxEntries {
			return s.at(fmt.Errorf("more than %d entries", MaxEntries))
		}
	}
	if err := s.end(); err != io.EOF {
		return err
	}
	return nil
}

// parse parses the line of an entry up to the closing brace. It is not picky, but
// the entry must have exactly this line when it is written again.
func (s *Reader) parse(line []byte) (e Entry, err error) {
	rest := bytes.TrimPrefix(line, []byte(`{"path":"`))
	path, rest, _ := bytes.Cut(rest, []byte(`","type":"`))
	e = Entry{Path: string(path), Dir: string(rest) == `d"}`}
	if !e.Dir {
		e.blob = isBlob(e.Path)
		size, sum, _ := bytes.Cut(bytes.TrimPrefix(rest, []byte(`f","size":`)), []byte(`,"digest":"`))
		e.Size, _ = strconv.ParseInt(strings.TrimSuffix(string(size), "}"), 10, 64)
		_, _ = hex.Decode(e.Digest[:], sum[:min(len(sum), 2*digest.Size)])
	}
	if s.line = appendEntry(s.line[:0], e); !bytes.Equal(s.line, line) {
		return e, fmt.Errorf("not an entry: %.80q", line)
	}
	if !e.blob && !validPath(e.Path) {
		return e, fmt.Errorf("invalid path: %.80q", path)
	}
	if e.Size < 0 || e.Size > MaxFileSize {
		return e, fmt.Errorf("invalid size: %d", e.Size)
	}
	return e, nil
}

// checkOrder checks that e may follow the entries before it.
func (s *Reader) checkOrder(e Entry) error {
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
		return fmt.Errorf("the directory of %q is not in the seal", e.Path)
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

// end checks the last line and returns io.EOF if it matches all lines before it.
func (s *Reader) end() error {
	line, err := s.longLine()
	if err != nil {
		return s.at(err)
	}
	text, ok := bytes.CutPrefix(line, []byte(`"digest":"`))
	text, ok2 := bytes.CutSuffix(text, []byte(`"}`+"\n"))
	sum, mac, keyed := bytes.Cut(text, []byte(`","mac":"`))
	if !ok || !ok2 {
		return s.at(fmt.Errorf("not the end of a seal: %.80q", line))
	}
	want, err := digest.Parse(string(sum))
	if err == nil && want != sumOf(s.sums.plain) {
		err = errors.New("its digest does not match its contents")
	}
	var wantMAC digest.Digest
	if err == nil && keyed {
		wantMAC, err = digest.Parse(string(mac))
	}
	if err == nil {
		if _, more := s.r.ReadByte(); more != io.EOF {
			err = errors.New("data after the end")
		}
	}
	if err != nil {
		return s.at(err)
	}
	s.Keyed = keyed
	if s.sums.keyed != nil {
		if !keyed {
			return ErrUnkeyed
		}
		got := sumOf(s.sums.keyed)
		if subtle.ConstantTimeCompare(got[:], wantMAC[:]) != 1 {
			return ErrWrongMAC
		}
	}
	if s.doc != nil {
		if err := disk.DecodeJSON(s.doc, &s.Doc); err != nil {
			return fmt.Errorf("line 1: the key's document: %w", err)
		}
	}
	return io.EOF
}

// at adds the number of the current line to err, unless that is nil.
func (s *Reader) at(err error) error {
	if err == nil {
		return nil
	}
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
			return nil, unexpected(err)
		}
		if len(line) > maxHeader+64 {
			return nil, fmt.Errorf("longer than %d bytes", maxHeader)
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return errors.New("unexpected end of file")
	}
	return err
}
