// Package key computes the cache key of a checkout: its ingredients, their
// digests, the key and its restore keys, and the differences between two keys.
// docs/key-format.md is the normative text.
package key

// Schema is the version of the key's format. It is the second segment of every
// key and the "schema" of every document.
const Schema = "v1"

// A Document is everything that there is to say about a key: what
// `cachekey key --json` prints, in the shape of docs/key.schema.json.
type Document struct {
	Schema      string            `json:"schema"`
	Key         string            `json:"key"`
	RestoreKeys []string          `json:"restoreKeys"` // most specific first, each a prefix of Key
	Paths       []string          `json:"paths"`       // what CI carries, relative to its checkout
	Prefix      string            `json:"prefix"`
	System      string            `json:"system"` // Nix's: x86_64-linux
	Extra       map[string]string `json:"extra"`
	NarHash     string            `json:"narHash"` // SRI: sha256-…
	Ingredients []Ingredient      `json:"ingredients"`
	Warnings    []string          `json:"warnings"`
}

// An Ingredient is one part of the key: locks, tasks or tree.
type Ingredient struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // its segment of the key
	Files  []File `json:"files"`  // in bytewise order of Path; none for tree
}

// A File is one entry of an ingredient.
type File struct {
	Path   string `json:"path"` // slash-separated, relative to the git root
	Type   string `json:"type"` // "f" a file, "l" a symbolic link, "g" a submodule's commit
	Digest string `json:"digest"`
}

// Ingredient gives the ingredient called name, or nil.
func (d *Document) Ingredient(name string) *Ingredient {
	for i := range d.Ingredients {
		if d.Ingredients[i].Name == name {
			return &d.Ingredients[i]
		}
	}
	return nil
}
