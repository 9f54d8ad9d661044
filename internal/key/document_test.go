package key

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The schema is written by hand. A document with all fields is valid; one with a
// field more or less is not.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/key.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	layOut(t, dir, []string{"f flake.lock %7b%7d", "f flake.nix %7b%7d", "l go.sum a", "f same.yaml x"})
	d, err := Compute(t.Context(), Options{Dir: dir, Extra: map[string]string{"job": "test"}})
	if err != nil {
		t.Fatal(err)
	}
	d.Untracked = []UntrackedFile{{Path: "a\\\xff", Type: "f", Size: 1 << 31}, {Path: "b", Type: "l", Size: 1, Digest: d.Ingredients[1].Files[0].Digest}}
	d.UntrackedTruncated = true
	validate := func(edit func(map[string]any)) error {
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		edit(v.(map[string]any))
		return schema.Validate(v)
	}
	if err := validate(func(map[string]any) {}); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string]func(map[string]any){
		"unknown field":   func(m map[string]any) { m["more"] = 1 },
		"no key":          func(m map[string]any) { delete(m, "key") },
		"a comma":         func(m map[string]any) { m["key"] = "same-v1,x" },
		"null files":      func(m map[string]any) { m["ingredients"].([]any)[0].(map[string]any)["files"] = nil },
		"another schema":  func(m map[string]any) { m["schema"] = "v2" },
		"a bad SRI":       func(m map[string]any) { m["narHash"] = "sha256-AAAA" },
		"two ingredients": func(m map[string]any) { m["ingredients"] = m["ingredients"].([]any)[:2] },
	} {
		if validate(edit) == nil {
			t.Errorf("%s: valid, want an error", name)
		}
	}
}

// A document that Parse accepts survives its own JSON, and Compare accepts it.
func FuzzParse(f *testing.F) {
	dir := f.TempDir()
	if err := os.WriteFile(dir+"/same.yaml", nil, 0o666); err != nil {
		f.Fatal(err)
	}
	d, err := Compute(f.Context(), Options{Dir: dir, AllowMissing: true})
	if err != nil {
		f.Fatal(err)
	}
	seed, err := json.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"schema":"v1","ingredients":[{"name":"locks"},{"name":"tasks"},{"name":"tree"}]}`))
	f.Add([]byte(`{"schema":"v1","ingredients":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(bytes.NewReader(text))
		if err != nil {
			return
		}
		Compare(d, d)
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Parse(bytes.NewReader(again))
		if err != nil || !reflect.DeepEqual(d, e) {
			t.Fatalf("got %+v, %v, want %+v", e, err, d)
		}
	})
}

// A document of files with any names can be read again, and differs from itself in
// nothing: the files are in the order of their bytes, not of their spellings.
func TestAnyNames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	names := []string{"z", "\xff", `\`, `\xff`, "[", "é", "\xe9", "a\\b"}
	for range 60 {
		name := make([]byte, 1+r.IntN(5))
		for i := range name {
			for name[i] == 0 || name[i] == '/' || name[i] == '.' {
				name[i] = "z\\x\xff"[r.IntN(4)]
				if r.IntN(2) == 0 {
					name[i] = byte(r.Uint32())
				}
			}
		}
		names = append(names, string(name))
	}
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "go.mod"), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Compute(t.Context(), Options{Dir: dir, AllowMissing: true})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d, again) {
		t.Errorf("got %+v\nwant %+v", again, d)
	}
	for _, in := range again.Ingredients {
		for _, f := range in.Files {
			if _, err := os.Stat(filepath.Join(dir, string(f.Path))); err != nil {
				t.Errorf("%q is listed: %v", f.Path, err)
			}
		}
	}
}
