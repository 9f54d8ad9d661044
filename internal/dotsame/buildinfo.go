package dotsame

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"cachekey/internal/digest"
)

// BuildInfoSchema is the version of what ours adds to a build info. A reader
// that meets another one takes the task as never built.
const BuildInfoSchema = 1

// A BuildInfo is what is remembered of a task's last success: a JSON object in
// .same/store/<SHA-256 of the task's name, in hex>.json. The first four fields
// are those of the existing Go same, whose files have no others:
//
//	{
//	  "task_name":   "core:gen",
//	  "input_hash":  "<64 hex>",          what went in: see internal/engine
//	  "output_hash": "<64 hex>",          what came out: OutputHash of outputs
//	  "timestamp":   "2026-11-23T17:24:00Z",
//	  "schema":      1,
//	  "duration_ms": 1234,                what a skip saves
//	  "outputs": [                        in bytewise order of path
//	    {"path": "dist", "type": "dir", "mode": "0755"},
//	    {"path": "dist/app", "type": "file", "mode": "0755", "size": 5, "digest": "<64 hex>"},
//	    {"path": "dist/current", "type": "link", "link": "app"}
//	  ],
//	  "recipe": {"command": "<64 hex>", …}, the other parts of input_hash, each by its digest
//	  "depends": {"core:fetch": "<64 hex>"},
//	  "inputs": [                         in bytewise order of path; the last field
//	    {"path": "src/a.go", "digest": "<64 hex>"}
//	  ]
//	}
//
// Paths are slash-separated and relative to the workspace root. A file's digest
// is the BLAKE3 of its content and names the blob that has it
// (.same/store/blobs/<first two digits>/<digest>); an input's also has its exec
// bit or link in it and names none. recipe, depends and inputs only say why a
// task runs again; nothing is decided by them.
type BuildInfo struct {
	TaskName   string    `json:"task_name"`
	InputHash  string    `json:"input_hash"`
	OutputHash string    `json:"output_hash,omitempty"`
	Timestamp  time.Time `json:"timestamp"`

	Schema     int                      `json:"schema,omitempty"`
	DurationMS int64                    `json:"duration_ms,omitempty"`
	Outputs    []Output                 `json:"outputs,omitempty"`
	Recipe     map[string]digest.Digest `json:"recipe,omitempty"`
	Depends    map[string]digest.Digest `json:"depends,omitempty"`
	Inputs     []Input                  `json:"inputs,omitempty"`
}

// An Input is a file or link that the task's patterns matched.
type Input struct {
	Path   string        `json:"path"`
	Digest digest.Digest `json:"digest"`
}

// Duration is how long the task ran.
func (b *BuildInfo) Duration() time.Duration { return time.Duration(b.DurationMS) * time.Millisecond }

// Foreign says that another same wrote b: it is a valid build info, and tells
// nothing that ours can use.
func (b *BuildInfo) Foreign() bool { return b.Schema != BuildInfoSchema }

// Blobs gives the digests of the blobs that b's outputs need, each once.
func (b *BuildInfo) Blobs() []digest.Digest {
	var blobs []digest.Digest
	seen := map[digest.Digest]bool{}
	for _, o := range b.Outputs {
		if o.Type == TypeFile && !seen[o.Digest] {
			seen[o.Digest] = true
			blobs = append(blobs, o.Digest)
		}
	}
	return blobs
}

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

// ReadBuildInfo reads what is remembered of a task: nil for nothing. The
// inputs are left out; ReadInputs has them.
func (d *Dir) ReadBuildInfo(task string) (*BuildInfo, error) { return d.read(task, parseHead) }

// ReadInputs reads what is remembered of a task with its inputs.
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
		err = fmt.Errorf("it is of task %q", b.TaskName)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Path(InfoPath(task)), err)
	}
	return b, nil
}

// WriteBuildInfo remembers b in place of what was remembered of its task. Its
// blobs are in the store already: a build info without its blobs makes the
// task run again, a blob without a build info is only pruned.
func (d *Dir) WriteBuildInfo(b *BuildInfo) error {
	return d.Create(InfoPath(b.TaskName), 0o644, func(f *os.File) error {
		if err := b.Encode(f); err != nil {
			return fmt.Errorf("task %q: %w", b.TaskName, err)
		}
		return nil
	})
}
