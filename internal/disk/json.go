package disk

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds on the JSON that DecodeJSON accepts. Decoded, a list of zeros is dozens of
// times larger than its text, so a small file could fill the memory. Our own files
// stay far below them: their lists contain objects or long strings.
const (
	maxJSONDepth   = 32
	maxJSONString  = 64 << 10 // bytes, as written
	maxJSONLiteral = 64       // bytes of a number
	minElement     = 20       // bytes of an element of a list, on average
	minMember      = 6        // bytes of a member of an object, on average
	freeJSON       = 4096     // elements and members that are not counted
)

// DecodeJSON stores the JSON document data in v, as json.Unmarshal does. It first
// refuses a document that could take far more memory than an ordinary one of its
// size, and one that is not UTF-8.
func DecodeJSON(data []byte, v any) error {
	if _, err := checkJSON(data, minElement, minMember); err != nil {
		return err
	}
	return shorten(json.Unmarshal(data, v))
}

// DecodeJSONList decodes a list whose elements have at least minimum bytes each,
// on average.
func DecodeJSONList[T any](data []byte, minimum int) ([]T, error) {
	n, err := checkJSON(data, minimum, minMember)
	if err != nil {
		return nil, err
	}
	list := make([]T, 0, n.elements)
	return list, shorten(json.Unmarshal(data, &list))
}

// DecodeJSONMap decodes an object whose members have at least minimum bytes each,
// on average.
func DecodeJSONMap[T any](data []byte, minimum int) (map[string]T, error) {
	if _, err := checkJSON(data, minElement, minimum); err != nil {
		return nil, err
	}
	var m map[string]T
	return m, shorten(json.Unmarshal(data, &m))
}

// checkJSON returns an error unless the elements of lists in data have at least
// element bytes, and the members of objects member bytes, on average. Data need not be
// valid JSON.
func checkJSON(data []byte, element, member int) (jsonSize, error) {
	n, err := sizeJSON(data)
	switch {
	case err != nil:
	case n.elements > freeJSON && n.elements-freeJSON > n.bytes/element:
		err = n.tooMany(n.elements, "elements of lists")
	case n.members > freeJSON && n.members-freeJSON > n.bytes/member:
		err = n.tooMany(n.members, "members of objects")
	case !utf8.Valid(data):
		err = errors.New("it is not UTF-8")
	}
	return n, err
}

// jsonSize counts what a document has.
type jsonSize struct {
	elements, members int // of all lists and objects
	bytes             int // without white space
}

func (n jsonSize) tooMany(count int, of string) error {
	return fmt.Errorf("it has %d %s in %d bytes: they are too short to be genuine", count, of, n.bytes)
}

// sizeJSON counts without decoding, so it takes no memory.
func sizeJSON(data []byte) (n jsonSize, err error) {
	var open [maxJSONDepth]byte // the brackets around the current byte
	depth, literal := 0, 0
	count := func(by int) {
		switch {
		case depth == 0:
		case open[depth-1] == '[':
			n.elements += by
		default:
			n.members += by
		}
	}
	var last byte // that is not white space
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch c {
		case ' ', '\t', '\n', '\r':
			continue
		case '[', '{':
			if depth == maxJSONDepth {
				return n, fmt.Errorf("it is nested deeper than %d levels", maxJSONDepth)
			}
			open[depth] = c
			depth++
			count(1)
			literal = 0
		case ']', '}':
			if last == '[' || last == '{' {
				count(-1)
			}
			depth = max(0, depth-1)
			literal = 0
		case ',':
			count(1)
			literal = 0
		case ':':
			literal = 0
		case '"':
			start := i
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			if i-start > maxJSONString {
				return n, fmt.Errorf("it has a string of more than %d bytes", maxJSONString)
			}
			n.bytes += i - start
			literal = 0
		default:
			if literal++; literal > maxJSONLiteral {
				return n, fmt.Errorf("it has a number of more than %d bytes", maxJSONLiteral)
			}
		}
		n.bytes++
		last = c
	}
	return n, nil
}

// shorten returns err with at most 300 bytes of text: errors of encoding/json
// quote the value that they are about.
func shorten(err error) error {
	if err == nil || len(err.Error()) <= 300 {
		return err
	}
	return errors.New(strings.ToValidUTF8(err.Error()[:300], "") + "…")
}

// A Path is the raw bytes of a path. In JSON a backslash is written \\, and a byte that
// is not UTF-8 \xNN, so that every path has one spelling and every spelling one path.
type Path string

// MarshalText returns the spelling of p.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.Spelling()), nil }

// Spelling returns the spelling of p.
func (p Path) Spelling() string {
	if !strings.Contains(string(p), `\`) && utf8.ValidString(string(p)) {
		return string(p)
	}
	b := make([]byte, 0, len(p))
	for i, r := range string(p) {
		_, size := utf8.DecodeRuneInString(string(p[i:]))
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, p[i])
		case r == '\\':
			b = append(b, `\\`...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}

// UnmarshalText sets p to the path that text spells.
func (p *Path) UnmarshalText(text []byte) error {
	var b []byte
	for rest := string(text); rest != ""; {
		literal, after, escaped := strings.Cut(rest, `\`)
		b, rest = append(b, literal...), after
		if !escaped {
			break
		}
		if after, ok := strings.CutPrefix(rest, `\`); ok {
			b, rest = append(b, '\\'), after
		} else if c, err := hex.DecodeString(rest[min(1, len(rest)):min(3, len(rest))]); err == nil {
			b, rest = append(b, c...), rest[min(3, len(rest)):]
		}
	}
	if Path(b).Spelling() != string(text) {
		return fmt.Errorf(`the path %q is not spelled with \\ and \xNN`, text)
	}
	*p = Path(b)
	return nil
}
