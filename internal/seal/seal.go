// Package seal vouches for what CI carries of .same. Make writes .same/seal.json
// before a save; Verify checks everything against it after a restore and removes
// what it does not vouch for.
//
// # The format
//
// A seal is one JSON document, in one canonical layout of lines, so that it can
// be written and checked as a stream:
//
//	{"seal":"v1","key":{…},"entries":[
//	{"path":"cache","type":"d"},
//	{"path":"store","type":"d"},
//	{"path":"store/9f86….json","type":"f","size":132,"digest":"2cf2…"}
//	],
//	"digest":"8a5e…","mac":"77c0…"}
//
// More precisely: the first line holds the document of the key under which the
// cache is saved, as `cachekey key --json` prints it, on one line. Then follows
// one line per directory ("d") and file ("f") below .same/cache and .same/store,
// these two among them, with its slash-separated path relative to .same, in the
// order in which a walk that sorts names bytewise comes upon them (a directory
// before its contents, "a/b" before "a.b"); of a file the size in bytes and the
// BLAKE3 digest (256 bits, hexadecimal). No other spelling, spacing or order is
// read of them. The last line has the BLAKE3 digest of every byte before it:
//
//	head -n -1 .same/seal.json | b3sum
//
// With a secret, "mac" follows: BLAKE3 of the same bytes in keyed mode, the key
// derived from the secret with BLAKE3's derive-key mode and the context
// "cachekey v1 seal: key of the message authentication code".
//
// What a seal can't hold is not sealed, and so does not survive Verify: anything
// but regular files and directories, set-id files, names that are not printable
// UTF-8 or contain a quote or a backslash, and what exceeds the limits below.
//
// # Walking
//
// Seal and disk are read side by side, both sorted, like two lists that are
// merged; files are digested on all cores. Memory does not grow with the number
// of entries or their size, and nothing outside .same/cache and .same/store is
// reached, whatever links say (package disk).
package seal

import (
	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// Schema is the version of the seal's format.
const Schema = "v1"

// MinSecret is how many bytes a secret must have at least.
const MinSecret = 16

// The limits of a seal, which hold for writing and for reading.
const (
	MaxEntries   = disk.MaxEntries
	MaxDepth     = 16        // components of a path
	MaxFileSize  = 64 << 30  // 64 GiB
	MaxTotalSize = 256 << 30 // 256 GiB
	MaxPath      = 1024      // bytes
	maxHeader    = 16 << 20  // 16 MiB: a key document names every lock file, some 150 bytes each
)

const macContext = "cachekey v1 seal: key of the message authentication code"

// roots are the sealed directories, in order.
var roots = []string{"cache", "store"}

// An Entry is one line of a seal.
type Entry struct {
	Path   string // relative to .same, slash-separated
	Dir    bool
	Size   int64
	Digest digest.Digest
}

// A Foreign says for which checkout a seal was made, when that is not this one.
type Foreign struct{ What, Seal, Here string }

func (f *Foreign) Error() string {
	return "it was sealed for " + f.What + " " + message.Quote(f.Seal) + ", not " + message.Quote(f.Here)
}

// belongs says whether a cache sealed with doc may be used for system and locks.
func belongs(doc *key.Document, system, locks string) error {
	if doc.System != system {
		return &Foreign{"the system", doc.System, system}
	}
	sealed := ""
	if in := doc.Ingredient("locks"); in != nil {
		sealed = in.Digest
	}
	if sealed == "" || sealed != locks {
		return &Foreign{"the locks", sealed, locks}
	}
	return nil
}
