package key

import (
	"maps"
	"slices"
	"strings"

	"cachekey/internal/disk"
)

// A Diff is the difference between two keys.
type Diff struct {
	Schema      string           `json:"schema"`
	Same        bool             `json:"same"` // the keys are equal
	Old         string           `json:"old"`  // the keys
	New         string           `json:"new"`
	Restores    string           `json:"restores"` // the restore key of New that matches a cache saved under Old; "" for none
	Settings    []SettingDiff    `json:"settings"`
	Ingredients []IngredientDiff `json:"ingredients"`
}

// A SettingDiff is a part of the key that has changed and is not an ingredient:
// prefix, schema, system, workspace or extra NAME. An extra that is absent is "".
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
	Path   disk.Path `json:"path"`
	Change string    `json:"change"` // "added", "removed" or "changed"
}

// Compare returns the differences between the keys of two documents.
func Compare(old, now *Document) Diff {
	d := Diff{
		Schema: Schema, Same: old.Key == now.Key, Old: old.Key, New: now.Key,
		Settings: []SettingDiff{}, Ingredients: []IngredientDiff{},
	}
	for _, k := range now.RestoreKeys {
		if !d.Same && strings.HasPrefix(old.Key, k) {
			d.Restores = k
			break
		}
	}
	setting := func(name, before, after string) {
		if before != after {
			d.Settings = append(d.Settings, SettingDiff{name, before, after})
		}
	}
	setting("prefix", old.Prefix, now.Prefix)
	setting("schema", old.Schema, now.Schema)
	names := map[string]string{}
	maps.Copy(names, old.Extra)
	maps.Copy(names, now.Extra)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		setting("extra "+name, old.Extra[name], now.Extra[name])
	}
	setting("workspace", string(old.Workspace), string(now.Workspace))
	setting("system", old.System, now.System)
	for _, in := range now.Ingredients {
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

// compareFiles compares two sorted lists.
func compareFiles(old, now []File) []FileDiff {
	diffs := []FileDiff{}
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(old) > 0 && less(old[0], now[0]):
			diffs = append(diffs, FileDiff{old[0].Path, "removed"})
			old = old[1:]
		case len(old) == 0 || less(now[0], old[0]):
			diffs = append(diffs, FileDiff{now[0].Path, "added"})
			now = now[1:]
		default:
			if old[0] != now[0] {
				diffs = append(diffs, FileDiff{old[0].Path, "changed"})
			}
			old, now = old[1:], now[1:]
		}
	}
	return diffs
}

func less(a, b File) bool { return a.Path < b.Path }
