package seal

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
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
	var err error
	e.Size, err = strconv.ParseInt(string(size), 10, 64)
	if err != nil || e.Size < 0 || e.Size > MaxFileSize || strconv.FormatInt(e.Size, 10) != string(size) {
		return Entry{}, fmt.Errorf("no size for a file: %.80q", size)
	}
	return e, e.Digest.UnmarshalText(sum)
}
