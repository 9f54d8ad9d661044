package dotsame

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// BuildInfoSchema is the version of the fields that this same adds to a build
// info. A reader treats a task with another version as never built.
const BuildInfoSchema = 1

// A BuildInfo is the record of a task's last success: a JSON object in the file
// InfoPath. The first four fields are those of upstream same, whose files have no
// others:
//
//	{
//	  "task_name":   "core:gen",
//	  "input_hash":  "<64 hex>",          of the inputs: see internal/engine
//	  "output_hash": "<64 hex>",          OutputHash of outputs
//	  "timestamp":   "2026-11-23T17:24:00Z",
//	  "schema":      1,
//	  "duration_ms": 1234,                how long the task ran
//	  "outputs": [                        in bytewise order of path
//	    {"path": "dist", "type": "dir", "mode": "0755"},
//	    {"path": "dist/app", "type": "file", "mode": "0755", "size": 5, "digest": "<64 hex>"},
//	    {"path": "dist/current", "type": "link", "link": "app"}
//	  ],
//	  "log": {"text": "aGk="},            what the task printed, or size and digest of its blob
//	  "recipe": {"command": "<64 hex>", …}, digests of the other parts of input_hash
//	  "depends": {"core:fetch": "<64 hex>"},
//	  "inputs": [                         in bytewise order of path; the last field
//	    {"path": "src/a.go", "digest": "<64 hex>"}
//	  ]
//	}
//
// Paths are slash-separated and relative to the workspace root. That of an input may
// have any bytes: see disk.Path. The digest of an output is the BLAKE3 hash of its
// contents, and the name of their blob: see BlobPath. The digest of an input also
// covers its exec bit, or its link target. recipe, depends and inputs only explain why
// a task runs again; no decision depends on them.
type BuildInfo struct {
	TaskName   string    `json:"task_name"`
	InputHash  string    `json:"input_hash"`
	OutputHash string    `json:"output_hash,omitempty"`
	Timestamp  time.Time `json:"timestamp"`

	Schema     int     `json:"schema,omitempty"`
	DurationMS int64   `json:"duration_ms,omitempty"`
	Outputs    Outputs `json:"outputs,omitempty"`
	Log        *Log    `json:"log,omitempty"` // nil if it was not kept
	Recipe     Digests `json:"recipe,omitempty"`
	Depends    Digests `json:"depends,omitempty"`
	Inputs     Inputs  `json:"inputs,omitempty"`
}

// The lists of a build info. Their decoding is bounded by the size of their text.
type (
	Outputs []Output
	Inputs  []Input
	Digests map[string]digest.Digest
)

// An Input is a file or link that the task's patterns matched.
type Input struct {
	Path   disk.Path     `json:"path"`
	Digest digest.Digest `json:"digest"`
}

// A Log is what a task printed: Text, or the blob of this size and digest. Without
// either, it printed nothing.
type Log struct {
	Text   []byte        `json:"text,omitempty"` // at most MaxLogText bytes; in JSON as base64
	Size   int64         `json:"size,omitempty"` // of the blob, in bytes
	Digest digest.Digest `json:"digest,omitzero"`
}

// Bounds of a Log.
const (
	MaxLogText = 4 << 10
	MaxLogBlob = 17 << 20 // bytes
)

func (l *Log) check() error {
	switch {
	case l == nil:
		return nil
	case len(l.Text) > MaxLogText:
		return fmt.Errorf("log of %d bytes is larger than %d", len(l.Text), MaxLogText)
	case l.Digest.IsZero() != (l.Size == 0), !l.Digest.IsZero() && len(l.Text) > 0:
		return errors.New("a log has a text, or the size and the digest of a blob")
	case l.Size < 0 || l.Size > MaxLogBlob:
		return fmt.Errorf("log of %d bytes is larger than %d", l.Size, MaxLogBlob)
	}
	return nil
}

// Duration returns how long the task ran.
func (b *BuildInfo) Duration() time.Duration { return time.Duration(b.DurationMS) * time.Millisecond }

// Foreign reports whether another implementation of same wrote b. Then b is valid,
// but has no fields that this one can use.
func (b *BuildInfo) Foreign() bool { return b.Schema != BuildInfoSchema }

// A Blob is the contents of an output or a log, by digest.
type Blob struct {
	Digest digest.Digest
	Size   int64 // bytes
}

// Blobs returns the blobs that b's outputs and its log need, each once.
func (b *BuildInfo) Blobs() []Blob {
	var blobs []Blob
	seen := map[digest.Digest]bool{}
	add := func(d digest.Digest, size int64) {
		if !seen[d] {
			seen[d] = true
			blobs = append(blobs, Blob{d, size})
		}
	}
	for _, o := range b.Outputs {
		if o.Type == TypeFile {
			add(o.Digest, o.Size)
		}
	}
	if b.Log != nil && !b.Log.Digest.IsZero() {
		add(b.Log.Digest, b.Log.Size)
	}
	return blobs
}

// A Type is the type of an output, as the JSON has it.
type Type string

// The types of outputs. A socket or a device can't be one.
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
	Link   string        `json:"link,omitempty"`  // target of a link
}

// A Mode is permission bits, in JSON an octal string: "0755".
type Mode uint32

// Perm returns m for the functions of package os.
func (m Mode) Perm() fs.FileMode { return fs.FileMode(m) & fs.ModePerm }

// Exec reports whether the owner may execute the file: the permission bit that Nix
// and git keep.
func (m Mode) Exec() bool { return m&0o100 != 0 }

// MarshalText writes four octal digits.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// UnmarshalText reads up to four octal digits. Bits above the permissions, such as
// setuid, are an error.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 || len(text) > 4 {
		return fmt.Errorf("mode %.20q is not between 0000 and 0777", text)
	}
	*m = Mode(n)
	return nil
}

// OutputHash returns the digest of all fields of the outputs. Two runs with the
// same result have the same hash.
func OutputHash(outputs []Output) digest.Digest {
	parts := digest.NewParts("cachekey same outputs v1")
	for _, o := range outputs {
		parts.Add('o', o.Path, string(o.Type), strconv.FormatUint(uint64(o.Mode), 8), o.content())
	}
	return parts.Sum()
}

// ResultHash returns the digest of outputs that becomes part of the input hash of
// dependent tasks. Unlike OutputHash it covers only the exec bit of a file's mode:
// the others depend on the umask.
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

// ReadBuildInfo reads a task's build info, without the inputs. It returns nil if
// there is none.
func (d *Dir) ReadBuildInfo(task string) (*BuildInfo, error) { return d.read(task, parseHead) }

// ReadInputs reads a task's build info with the inputs.
func (d *Dir) ReadInputs(task string) (*BuildInfo, error) { return d.read(task, ParseBuildInfo) }

func (d *Dir) read(task string, parse func([]byte) (*BuildInfo, error)) (*BuildInfo, error) {
	data, err := d.ReadFile(InfoPath(task), MaxBuildInfo)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	b, err := parse(data)
	if err == nil && b.TaskName != task {
		err = fmt.Errorf("it is the build info of task %q", b.TaskName)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Path(InfoPath(task)), err)
	}
	return b, nil
}

// WriteBuildInfo writes b in place of the task's last build info. The caller must
// have stored its blobs: a task whose blobs are missing runs again, while a blob
// that no build info names is only pruned.
func (d *Dir) WriteBuildInfo(b *BuildInfo) error { return d.writeInfo(InfoPath(b.TaskName), b) }

func (d *Dir) writeInfo(rel string, b *BuildInfo) error {
	return d.Create(rel, 0o644, func(f *os.File) error {
		if err := b.Encode(f); err != nil {
			return fmt.Errorf("task %q: %w", b.TaskName, err)
		}
		return nil
	})
}
