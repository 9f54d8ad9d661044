package dotsame

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
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

// InfoName is the file name of a task's build info.
func InfoName(task string) string {
	sum := sha256.Sum256([]byte(task))
	return hex.EncodeToString(sum[:]) + ".json"
}

// InfoPath is where a task's build info lies, relative to the workspace root.
func InfoPath(task string) string { return path.Join(Store, InfoName(task)) }

// BlobPath is where a blob lies, relative to the workspace root.
func BlobPath(d digest.Digest) string {
	name := d.String()
	return path.Join(Blobs, name[:2], name)
}
