package seal

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"

	"cachekey/internal/digest"
)

// appendEntry appends the line of e, without what comes after the brace.
func appendEntry(b []byte, e Entry) []byte {
	b = append(b, `{"path":"`...)
	b = append(b, e.Path...)
	if e.Dir {
		return append(b, `","type":"d"}`...)
	}
	b = append(b, `","type":"f","size":`...)
	b = strconv.AppendInt(b, e.Size, 10)
	b = append(b, `,"digest":"`...)
	b = hex.AppendEncode(b, e.Digest[:])
	return append(b, `"}`...)
}

// parseEntry reads the line of an entry, without what comes after the brace. It takes
// only what appendEntry makes.
func parseEntry(line []byte) (Entry, error) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"path":"`))
	path, rest, ok2 := bytes.Cut(rest, []byte(`","type":"`))
	if !ok || !ok2 {
		return Entry{}, fmt.Errorf("not an entry: %.80q", line)
	}
	e := Entry{Path: string(path)}
	if !fits(e.Path) {
		return Entry{}, fmt.Errorf("no path for a seal: %.80q", path)
	}
	if string(rest) == `d"}` {
		e.Dir = true
		return e, nil
	}
	rest, ok = bytes.CutPrefix(rest, []byte(`f","size":`))
	size, rest, ok2 := bytes.Cut(rest, []byte(`,"digest":"`))
	sum, ok3 := bytes.CutSuffix(rest, []byte(`"}`))
	if !ok || !ok2 || !ok3 {
		return Entry{}, fmt.Errorf("not an entry: %.80q", line)
	}
	if e.Size, ok = parseSize(size); !ok {
		return Entry{}, fmt.Errorf("no size for a file: %.80q", size)
	}
	if !parseDigest(&e.Digest, sum) {
		return Entry{}, fmt.Errorf("no digest: %.80q", sum)
	}
	return e, nil
}

// parseSize reads a decimal number without sign or nought before it.
func parseSize(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' || n > MaxFileSize/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n <= MaxFileSize
}

// parseDigest does what digest.Parse does, without its garbage: it is called once
// for every file.
func parseDigest(d *digest.Digest, text []byte) bool {
	if len(text) != 2*digest.Size {
		return false
	}
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return false
		}
		d[i/2] = d[i/2]<<4 | c
	}
	return true
}
