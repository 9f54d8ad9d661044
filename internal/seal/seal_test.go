package seal

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"cachekey/internal/key"
)

// doc returns a key's document with what a seal uses of it.
func doc(system, locks string) *key.Document {
	return &key.Document{Schema: "v1", Key: "same-v1-" + system, System: system,
		Ingredients: []key.Ingredient{{Name: "locks", Digest: locks, Files: []key.File{{Path: "flake.lock", Type: "f", Digest: "00"}}}}}
}

var here = doc("x86_64-linux", "locks1")

// write creates files below dir; a name that ends in a slash is a directory.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(p, 0o777); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// tree lists everything below dir.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if d.IsDir() {
			rel += "/"
		}
		got = append(got, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got[1:]
}

var contents = map[string]string{
	"store/aa.json":               `{"task_name":"aa"}`,
	"store/bb.json":               `{"task_name":"bb"}`,
	"store/blobs/00/00ff":         "blob",
	"store/blobs/01/01ff":         strings.Repeat("large", 200_000), // more than a buffer
	"cache/environments/env.json": `["system=x86_64-linux"]`,
	"cache/nixhub/":               "",
}

// sealed creates a workspace with a sealed cache.
func sealed(t *testing.T, k *MACKey) (root string) {
	t.Helper()
	root = t.TempDir()
	write(t, filepath.Join(root, ".same"), contents)
	if _, err := Make(context.Background(), MakeOptions{Root: root, Doc: here, Key: k, Warnf: t.Errorf}); err != nil {
		t.Fatal(err)
	}
	return root
}

// verify returns the verdict, one line for each finding, and the warnings.
func verify(t *testing.T, root string, o VerifyOptions) (*Verdict, []string, []string) {
	t.Helper()
	var lines, warnings []string
	o.Root = root
	if o.System == "" {
		o.System, o.Locks = "x86_64-linux", "locks1"
	}
	o.Report = func(f Finding) { lines = append(lines, f.String()) }
	o.Warnf = func(f string, a ...any) { warnings = append(warnings, fmt.Sprintf(f, a...)) }
	v, err := Verify(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v, lines, warnings
}

func secret(t *testing.T, s string) *MACKey {
	t.Helper()
	k, err := DeriveKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestUnchangedIsWhole(t *testing.T) {
	for _, k := range []*MACKey{nil, secret(t, "0123456789abcdef")} {
		root := sealed(t, k)
		os.RemoveAll(filepath.Join(root, ".same/local"))
		before := tree(t, root)
		v, lines, warnings := verify(t, root, VerifyOptions{Key: k})
		if v.State != Whole || v.Flawed() || len(lines) > 0 || len(warnings) > 0 || v.Kept != 5 {
			t.Errorf("got %+v, %q, %q", v, lines, warnings)
		}
		os.RemoveAll(filepath.Join(root, ".same/local"))
		if after := tree(t, root); !slices.Equal(before, after) {
			t.Errorf("before %q\nafter  %q", before, after)
		}
	}
}

func TestSealIsReproducible(t *testing.T) {
	root := sealed(t, secret(t, "0123456789abcdef"))
	first, err := os.ReadFile(filepath.Join(root, ".same/seal.json"))
	if err != nil {
		t.Fatal(err)
	}
	other := sealed(t, secret(t, "0123456789abcdef"))
	os.Chtimes(filepath.Join(other, ".same/store/aa.json"), time.Unix(1, 0), time.Unix(1, 0))
	if _, err := Make(context.Background(), MakeOptions{Root: other, Doc: here, Key: secret(t, "0123456789abcdef"), Warnf: t.Errorf}); err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(filepath.Join(other, ".same/seal.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("first:\n%s\nsecond:\n%s", first, second)
	}
	if left := tree(t, filepath.Join(other, ".same")); slices.ContainsFunc(left, func(p string) bool { return strings.HasSuffix(p, ".tmp") }) {
		t.Errorf("temporary files are left: %q", left)
	}
}

// TestFormat builds a seal from the description of the format, without this package.
func TestFormat(t *testing.T) {
	root := t.TempDir()
	name := strings.Repeat("ab", 32)
	write(t, filepath.Join(root, ".same"), map[string]string{"store/a/x": "one", "store/a.b": "", "cache/": "", "store/blobs/ab/" + name: "not read", "store/blobs/ab/short": "s"})
	docText, err := json.Marshal(here)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(s string) string { h := blake3.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	above := `{"seal":"v2","key":` + string(docText) + `,"entries":[` + "\n" +
		`{"path":"cache","type":"d"},` + "\n" +
		`{"path":"store","type":"d"},` + "\n" +
		`{"path":"store/a","type":"d"},` + "\n" +
		`{"path":"store/a/x","type":"f","size":3,"digest":"` + hash("one") + `"},` + "\n" +
		`{"path":"store/a.b","type":"f","size":0,"digest":"` + hash("") + `"},` + "\n" +
		`{"path":"store/blobs","type":"d"},` + "\n" +
		`{"path":"store/blobs/ab","type":"d"},` + "\n" +
		`{"path":"store/blobs/ab/` + name + `","type":"f","size":8},` + "\n" +
		`{"path":"store/blobs/ab/short","type":"f","size":1,"digest":"` + hash("s") + `"}` + "\n" +
		"],\n"
	var macKey [32]byte
	blake3.DeriveKey("cachekey v1 seal: key of the message authentication code", []byte("sixteen bytes...."), macKey[:])
	keyed, err := blake3.NewKeyed(macKey[:])
	if err != nil {
		t.Fatal(err)
	}
	keyed.Write([]byte(above))
	want := above + `"digest":"` + hash(above) + `","mac":"` + hex.EncodeToString(keyed.Sum(nil)) + `"}` + "\n"
	if _, err := Make(context.Background(), MakeOptions{Root: root, Doc: here, Key: secret(t, "sixteen bytes...."), Warnf: t.Errorf}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, ".same/seal.json"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !json.Valid(got) {
		t.Error("the seal is not valid JSON")
	}
}

func TestSecret(t *testing.T) {
	if k, err := DeriveKey(""); k != nil || err != nil {
		t.Errorf("an empty secret: got %v, %v, want nil", k, err)
	}
	if _, err := DeriveKey("fifteen bytes.."); err == nil {
		t.Error("a secret of 15 bytes was accepted")
	}
	if *secret(t, "sixteen bytes..a") == *secret(t, "sixteen bytes..b") {
		t.Error("two secrets have the same key")
	}
}
