// Package seal makes a restored .same safe to use. Make writes .same/seal.json
// before CI saves .same; after a restore, Verify removes everything that differs
// from it.
//
// # The format
//
// A seal is one JSON document in a canonical layout of lines, so that it can be
// written and checked as a stream:
//
//	{"seal":"v2","key":{…},"entries":[
//	{"path":"cache","type":"d"},
//	{"path":"store","type":"d"},
//	{"path":"store/9f86….json","type":"f","size":132,"digest":"2cf2…"},
//	{"path":"store/blobs","type":"d"},
//	{"path":"store/blobs/fa","type":"d"},
//	{"path":"store/blobs/fa/faea…","type":"f","size":1024}
//	],
//	"digest":"8a5e…","mac":"77c0…"}
//
// The first line holds the document of the key under which .same is saved, as
// `cachekey key --json` prints it, on one line. One line follows for each directory
// ("d") and file ("f") below .same/cache and .same/store and for these two: its
// slash-separated path relative to .same and, for a file, its size in bytes and its
// BLAKE3 digest (256 bits, hexadecimal). A blob (dotsame.BlobPath) has no digest: that is
// its name. Results and build infos name the blobs that may be used, and the runner
// hashes a blob before it uses it, so neither Make nor Verify reads blobs. The lines are in the order of a walk that
// sorts names bytewise: a directory comes before its contents, and "a/b" before
// "a.b". No other spelling, spacing or order is accepted. The last line has the
// BLAKE3 digest of all bytes before it:
//
//	head -n -1 .same/seal.json | b3sum
//
// With a secret, "mac" follows: BLAKE3 of the same bytes in keyed mode. Its key is
// derived from the secret with BLAKE3's derive-key mode and the context
// "cachekey v1 seal: key of the message authentication code".
//
// Some things are not sealed, so Verify removes them: anything but regular files
// and directories, set-id files, names that are not printable UTF-8 or contain a
// quote or a backslash, and what exceeds the limits below. A directory beyond the
// bounds of package disk is moved away, unread (dotsame.Remover).
//
// # Walking
//
// Seal and disk are read side by side, both sorted, like two lists that are merged.
// Files are hashed on all cores. Memory use does not depend on the number of files
// or their size, only on the number of names in one directory, which is bounded.
// Whatever links there are, nothing outside .same/cache and .same/store is reached
// (package disk).
package seal

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zeebo/blake3"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// Schema is the version of the format.
const Schema = "v2"

// The limits of a seal, for writing and for reading.
const (
	MaxEntries   = disk.MaxEntries
	MaxFileSize  = 64 << 30  // 64 GiB
	MaxTotalSize = 256 << 30 // 256 GiB
	MaxPath      = 1024      // bytes
	maxName      = 255       // bytes
	MaxDepth     = 16        // names in a path
	maxHeader    = 16 << 20  // 16 MiB: a key document has about 150 bytes for each lock file
	maxSeal      = 512 << 20 // 512 MiB: an entry has about 170 bytes
)

// roots are the sealed directories, in order.
var roots = []string{dotsame.Rel(dotsame.Cache), dotsame.Rel(dotsame.Store)}

// An Entry is one line of a seal.
type Entry struct {
	Path   string // relative to .same, slash-separated
	Dir    bool
	Size   int64
	Digest digest.Digest // zero for a blob
	blob   bool          // isBlob(Path), for a file
}

const hexDigits = 2 * digest.Size

// isBlob reports whether path, relative to .same, is that of a blob. It is
// dotsame.BlobPath the other way round.
func isBlob(path string) bool {
	rest, ok := strings.CutPrefix(path, dotsame.Rel(dotsame.Blobs)+"/")
	if !ok || len(rest) != len("ab/")+hexDigits || rest[2] != '/' || rest[:2] != rest[3:5] {
		return false
	}
	for i := 3; i < len(rest); i++ {
		if c := rest[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// validPath reports whether path is below one of roots and can be in a seal: it
// has only one spelling, and neither JSON nor a log would have to escape it.
func validPath(path string) bool {
	root, _, _ := strings.Cut(path, "/")
	if !slices.Contains(roots, root) || len(path) > MaxPath || !fs.ValidPath(path) {
		return false
	}
	names := 0
	for name := range strings.SplitSeq(path, "/") {
		if names++; names > MaxDepth || len(name) > maxName {
			return false
		}
	}
	return !strings.ContainsFunc(path, func(r rune) bool {
		return r == '"' || r == '\\' || r == utf8.RuneError || !unicode.IsPrint(r)
	})
}

// foreign returns the error for a seal that was made for another system or other locks.
func foreign(what, sealed, here string) error {
	return fmt.Errorf("it was sealed for %s %s, not %s", what, message.Quote(sealed), message.Quote(here))
}

// checkKey returns an error unless .same, saved under the key of doc, may be used
// with system, locks and, unless it is "", head.
func checkKey(doc *key.Document, system, locks, head string) error {
	if doc.System != system {
		return foreign("the system", doc.System, system)
	}
	sealed := ""
	if in := doc.Ingredient("locks"); in != nil {
		sealed = in.Digest
	}
	if sealed == "" || sealed != locks {
		return foreign("the locks", sealed, locks)
	}
	if head == "" {
		return nil
	}
	sealed = doc.Key
	if k, err := key.ParseKey(doc.Key); err == nil {
		sealed = k.Head
	}
	if sealed != head {
		return foreign("keys that begin with", sealed, head)
	}
	return nil
}

// SecretVariable is the environment variable that holds the secret.
const SecretVariable = "CACHEKEY_SEAL_KEY"

// MinSecret is the minimum length of a secret in bytes.
const MinSecret = 16

// A MACKey authenticates seals.
type MACKey [32]byte

const macContext = "cachekey v1 seal: key of the message authentication code"

// DeriveKey derives the key of the MAC from secret. It returns nil if secret is
// empty, as it is in GitHub's jobs for forks, and an error if it is shorter than
// MinSecret.
func DeriveKey(secret string) (*MACKey, error) {
	if secret == "" {
		return nil, nil
	}
	if len(secret) < MinSecret {
		return nil, message.WithHint(fmt.Errorf("%s has %d bytes, at least %d are needed", SecretVariable, len(secret), MinSecret),
			"make one with: openssl rand -hex 32")
	}
	var k MACKey
	blake3.DeriveKey(macContext, []byte(secret), k[:])
	return &k, nil
}
