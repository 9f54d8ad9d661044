package dotsame

import (
	"fmt"
	"io/fs"
	"strconv"

	"cachekey/internal/digest"
)

// A Type is what an output is.
type Type string

// The types of outputs. Anything else (a socket, a device) can't be one.
const (
	TypeFile Type = "file"
	TypeDir  Type = "dir"
	TypeLink Type = "link"
)

// An Output is one file, directory or link that a task made.
type Output struct {
	Path   string        `json:"path"`
	Type   Type          `json:"type"`
	Mode   Mode          `json:"mode,omitempty"`  // permission bits; of a link none
	Size   int64         `json:"size,omitempty"`  // of a file, in bytes
	Digest digest.Digest `json:"digest,omitzero"` // of a file's content
	Link   string        `json:"link,omitempty"`  // where a link points, as it was written
}

// A Mode is permission bits, in JSON an octal string: "0755".
type Mode uint32

// Perm gives m for the functions of package os.
func (m Mode) Perm() fs.FileMode { return fs.FileMode(m) & fs.ModePerm }

// Exec says whether the owner may execute, which is what git and Nix keep.
func (m Mode) Exec() bool { return m&0o100 != 0 }

// MarshalText writes four octal digits.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// UnmarshalText reads up to four octal digits. Bits above the permissions
// (setuid and the like) are refused: nothing of ours writes them.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 || len(text) > 4 {
		return fmt.Errorf("mode %.20q is not between 0000 and 0777", text)
	}
	*m = Mode(n)
	return nil
}

// OutputHash is the digest of everything that outputs say. Only the paths of
// the outputs and what they hold count, so two runs with one result have one
// hash.
func OutputHash(outputs []Output) digest.Digest {
	parts := digest.NewParts("cachekey same outputs v1")
	for _, o := range outputs {
		parts.Add('o', o.Path, string(o.Type), strconv.FormatUint(uint64(o.Mode), 8), o.content())
	}
	return parts.Sum()
}

// ResultHash is what counts of outputs for the tasks that depend on them: as
// OutputHash, but of the modes only a file's exec bit. Another umask makes
// other modes of the same result.
func ResultHash(outputs []Output) digest.Digest {
	parts := digest.NewParts("cachekey same result v1")
	for _, o := range outputs {
		exec := "-"
		if o.Type == TypeFile && o.Mode.Exec() {
			exec = "x"
		}
		parts.Add('r', o.Path, string(o.Type), exec, o.content())
	}
	return parts.Sum()
}

func (o *Output) content() string {
	switch o.Type {
	case TypeFile:
		return strconv.FormatInt(o.Size, 10) + " " + string(o.Digest[:])
	case TypeLink:
		return o.Link
	}
	return ""
}
