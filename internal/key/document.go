// Package key computes the cache key of a checkout: its ingredients, their
// digests, the key and its restore keys, and the differences between two keys.
// docs/key-format.md is the normative text.
package key

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nix-community/go-nix/pkg/nixbase32"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// Schema is the version of the key's format. It is the second segment of every
// key and the "schema" of every document.
const Schema = "v1"

// A Document is a key and everything that it is made of. `cachekey key --json`
// prints it; docs/key.schema.json describes it.
type Document struct {
	Schema      string      `json:"schema"`
	Key         string      `json:"key"`
	RestoreKeys []string    `json:"restoreKeys"` // most specific first, each a prefix of Key
	Paths       []disk.Path `json:"paths"`       // what CI carries, relative to Options.PathsFrom
	Prefix      string      `json:"prefix"`
	System      string      `json:"system"` // Nix's: x86_64-linux
	Extra       Extras      `json:"extra"`
	Workspace   disk.Path   `json:"workspace"` // path of the workspace root relative to the tree's root; "" if they are the same
	NarHash     string      `json:"narHash"`   // SRI: sha256-…
	Ingredients Ingredients `json:"ingredients"`
	Warnings    []string    `json:"warnings"`

	// Untracked lists the files that git neither tracks nor ignores, in bytewise
	// order of Path; nil if Options.Untracked was not set.
	Untracked          UntrackedFiles `json:"untracked,omitzero"`
	UntrackedTruncated bool           `json:"untrackedTruncated,omitzero"` // there are more than Untracked lists
}

// An Ingredient is one part of the key: locks, tasks or tree.
type Ingredient struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // its segment of the key
	Files  Files  `json:"files"`  // in bytewise order of Path; none for tree
}

// A File is one entry of an ingredient.
type File struct {
	Path   disk.Path `json:"path"` // slash-separated, relative to the git root
	Type   string    `json:"type"` // "f" a file, "l" a symbolic link, "g" a submodule's commit
	Digest string    `json:"digest"`
}

// An UntrackedFile is a file that git neither tracks nor ignores.
type UntrackedFile struct {
	Path   disk.Path `json:"path"`             // slash-separated, relative to the git root
	Type   string    `json:"type"`             // "f" a file, "l" a symbolic link
	Size   int64     `json:"size"`             // of the contents; of a link, of its target
	Digest string    `json:"digest,omitempty"` // "" if the files before it used up the limit
}

// The lists of a document. Documents come from caches too, so their decoding is
// bounded by the size of their text.
type (
	Extras         map[string]string
	Ingredients    []Ingredient
	Files          []File
	UntrackedFiles []UntrackedFile
)

// The minimum size in bytes, on average, of what a document may have many of.
const (
	minExtra      = 64 // there are few
	minIngredient = 48 // {"name":"tree","digest":"<52>","files":[]}
	minFile       = 80 // {"path":"a","type":"f","digest":"<64 hex>"}
	minUntracked  = 32 // {"path":"a","type":"f","size":0}
)

// UnmarshalJSON decodes an object of extras.
func (e *Extras) UnmarshalJSON(data []byte) (err error) {
	*e, err = disk.DecodeJSONMap[string](data, minExtra)
	return err
}

// UnmarshalJSON decodes a list of ingredients.
func (in *Ingredients) UnmarshalJSON(data []byte) (err error) {
	*in, err = disk.DecodeJSONList[Ingredient](data, minIngredient)
	return err
}

// UnmarshalJSON decodes a list of files.
func (f *Files) UnmarshalJSON(data []byte) (err error) {
	*f, err = disk.DecodeJSONList[File](data, minFile)
	return err
}

// UnmarshalJSON decodes a list of untracked files.
func (f *UntrackedFiles) UnmarshalJSON(data []byte) (err error) {
	*f, err = disk.DecodeJSONList[UntrackedFile](data, minUntracked)
	return err
}

// Ingredient returns the ingredient called name, or nil.
func (d *Document) Ingredient(name string) *Ingredient {
	if i := slices.IndexFunc(d.Ingredients, func(in Ingredient) bool { return in.Name == name }); i >= 0 {
		return &d.Ingredients[i]
	}
	return nil
}

// maxDocument limits what Parse reads: 64 MiB are some 400,000 files.
const maxDocument = 64 << 20

// Parse reads a document that `cachekey key --json` printed. It ignores unknown
// fields, which a later version wrote. Another schema is an error.
func Parse(r io.Reader) (*Document, error) {
	text, err := disk.ReadLimited(r, maxDocument)
	if err != nil {
		return nil, fmt.Errorf("reading a key document: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // some editors and shells write a byte order mark
	var d Document
	if err := disk.DecodeJSON(text, &d); err != nil {
		return nil, fmt.Errorf("not a key document: %w", err)
	}
	if d.Schema != Schema {
		return nil, fmt.Errorf("not a key document of schema %q: its schema is %q", Schema, d.Schema)
	}
	for _, name := range []string{"locks", "tasks", "tree"} {
		if d.Ingredient(name) == nil {
			return nil, fmt.Errorf("not a key document: it has no ingredient %q", name)
		}
	}
	for i := range d.Ingredients {
		if !slices.IsSortedFunc(d.Ingredients[i].Files, func(a, b File) int { return strings.Compare(string(a.Path), string(b.Path)) }) {
			return nil, fmt.Errorf("not a key document: the files of %q are not in order", d.Ingredients[i].Name)
		}
	}
	if !slices.IsSortedFunc(d.Untracked, func(a, b UntrackedFile) int { return strings.Compare(string(a.Path), string(b.Path)) }) {
		return nil, errors.New("not a key document: the untracked files are not in order")
	}
	return &d, nil
}

// Segments are the parts of a key that can be told apart.
type Segments struct {
	Head               string // prefix, schema, extras and system
	Locks, Tasks, Tree string // digests
}

// ParseKey splits a key, from the right, where segments have known lengths and
// no hyphens.
func ParseKey(k string) (*Segments, error) {
	var s Segments
	rest := k
	for _, part := range []struct {
		into   *string
		length int
	}{{&s.Tree, 52}, {&s.Tasks, 32}, {&s.Locks, 32}} {
		i := strings.LastIndexByte(rest, '-')
		if i < 1 || len(rest)-i-1 != part.length || nixbase32.ValidateString(rest[i+1:]) != nil {
			return nil, message.WithHint(fmt.Errorf("%.200q is not a key", k), "cachekey key prints one; a restore key is only its beginning")
		}
		*part.into, rest = rest[i+1:], rest[:i]
	}
	s.Head = rest
	return &s, nil
}
