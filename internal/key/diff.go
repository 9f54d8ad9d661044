package key

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A Diff says what is different between two keys.
type Diff struct {
	Schema      string           `json:"schema"`
	Same        bool             `json:"same"` // the keys are equal
	Old         string           `json:"old"`  // the keys
	New         string           `json:"new"`
	Restores    string           `json:"restores"` // the restore key of new that finds a state saved under old; "" for none
	Settings    []SettingDiff    `json:"settings"`
	Ingredients []IngredientDiff `json:"ingredients"`
}

// A SettingDiff is a part of the key that is no ingredient and has changed:
// prefix, schema, system or extra NAME. An extra that is absent is "".
type SettingDiff struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// An IngredientDiff is an ingredient, changed or not.
type IngredientDiff struct {
	Name    string     `json:"name"`
	Changed bool       `json:"changed"`
	Old     string     `json:"old"` // the digests
	New     string     `json:"new"`
	Files   []FileDiff `json:"files"` // in bytewise order of Path
}

// A FileDiff is a file of an ingredient that was added, removed or changed.
type FileDiff struct {
	Path   string `json:"path"`
	Change string `json:"change"` // "added", "removed" or "changed"
}

// Compare says how the key of new came to be another than that of old.
func Compare(old, new *Document) Diff {
	d := Diff{
		Schema: Schema, Same: old.Key == new.Key, Old: old.Key, New: new.Key,
		Settings: []SettingDiff{}, Ingredients: []IngredientDiff{},
	}
	for _, k := range new.RestoreKeys {
		if !d.Same && strings.HasPrefix(old.Key, k) {
			d.Restores = k
			break
		}
	}
	setting := func(name, old, new string) {
		if old != new {
			d.Settings = append(d.Settings, SettingDiff{name, old, new})
		}
	}
	setting("prefix", old.Prefix, new.Prefix)
	setting("schema", old.Schema, new.Schema)
	names := maps.Clone(old.Extra)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, new.Extra)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		setting("extra "+name, old.Extra[name], new.Extra[name])
	}
	setting("system", old.System, new.System)
	for _, in := range new.Ingredients {
		before := old.Ingredient(in.Name)
		if before == nil {
			before = &Ingredient{}
		}
		d.Ingredients = append(d.Ingredients, IngredientDiff{
			Name: in.Name, Changed: before.Digest != in.Digest, Old: before.Digest, New: in.Digest,
			Files: compareFiles(before.Files, in.Files),
		})
	}
	return d
}

// compareFiles walks two sorted lists side by side.
func compareFiles(old, new []File) []FileDiff {
	diffs := []FileDiff{}
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(new) == 0 || len(old) > 0 && less(old[0], new[0]):
			diffs = append(diffs, FileDiff{old[0].Path, "removed"})
			old = old[1:]
		case len(old) == 0 || less(new[0], old[0]):
			diffs = append(diffs, FileDiff{new[0].Path, "added"})
			new = new[1:]
		default:
			if old[0] != new[0] {
				diffs = append(diffs, FileDiff{old[0].Path, "changed"})
			}
			old, new = old[1:], new[1:]
		}
	}
	return diffs
}

func less(a, b File) bool { return a.Path < b.Path }

// maxDocument bounds what Parse reads: 64 MiB are some 400,000 files.
const maxDocument = 64 << 20

// Parse reads a document that `cachekey key --json` printed. Unknown fields are
// those of a later version and are left alone; another schema is an error.
func Parse(r io.Reader) (*Document, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxDocument {
		return nil, fmt.Errorf("a key document of more than %d bytes", maxDocument)
	}
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
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
		if !slices.IsSortedFunc(d.Ingredients[i].Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) }) {
			return nil, fmt.Errorf("not a key document: the files of %q are not in order", d.Ingredients[i].Name)
		}
	}
	return &d, nil
}
