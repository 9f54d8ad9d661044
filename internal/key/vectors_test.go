package key

import (
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A vector is one file of docs/vectors: lines of "name: value".
type vector [][2]string

func (v vector) all(name string) (values []string) {
	for _, line := range v {
		if line[0] == name {
			values = append(values, line[1])
		}
	}
	return values
}

func (v vector) one(t *testing.T, name string) string {
	t.Helper()
	values := v.all(name)
	if len(values) != 1 {
		t.Fatalf("%d lines %q, want one", len(values), name)
	}
	return values[0]
}

// fields returns the space-separated fields of a value, unescaped.
func fields(t *testing.T, value string) (out []string) {
	t.Helper()
	for field := range strings.SplitSeq(value, " ") {
		text, err := url.PathUnescape(field)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	return out
}

func (v vector) extras(t *testing.T) map[string]string {
	extra := map[string]string{}
	for _, line := range v.all("extra") {
		f := fields(t, line)
		extra[f[0]] = f[1]
	}
	return extra
}

// workspaceOf returns the workspace of a vector; "" if it is the root.
func workspaceOf(v vector) string { return strings.Join(v.all("workspace"), "") }

func eachVector(t *testing.T, f func(t *testing.T, v vector)) {
	files, err := filepath.Glob("../../docs/vectors/" + Schema + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v vector
			for line := range strings.Lines(string(text)) {
				name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
				if !ok {
					t.Fatalf("not a line of a vector: %q", line)
				}
				v = append(v, [2]string{name, value})
			}
			f(t, v)
		})
	}
}

// digestOf hashes entries with the package's own framing.
func digestOf(t *testing.T, name string, lines []string) string {
	t.Helper()
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(fields(t, a)[1], fields(t, b)[1]) })
	d := newDigest(name)
	for _, line := range lines {
		f := fields(t, line)
		if _, err := d.entry(f[1], f[0][0], int64(len(f[2])), func(w io.Writer) error {
			_, err := io.WriteString(w, f[2])
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return d.segment()
}

func TestVectors(t *testing.T) {
	eachVector(t, func(t *testing.T, v vector) {
		want := v.one(t, "expect")
		switch v.one(t, "kind") {
		case "ingredient":
			if got := digestOf(t, v.one(t, "ingredient"), v.all("entry")); got != want {
				t.Errorf("digest %s, want %s", got, want)
			}
		case "extra":
			if got := extraDigest(v.extras(t), workspaceOf(v)); got != want {
				t.Errorf("digest %s, want %s", got, want)
			}
		case "key":
			vectorKey(t, v, want)
		default:
			t.Error("unknown kind")
		}
	})
}

// vectorKey writes the vector's files to disk and computes their key.
func vectorKey(t *testing.T, v vector, want string) {
	dir := t.TempDir()
	layOut(t, dir, append(v.all("lock"), v.all("task")...))
	d, err := Compute(t.Context(), Options{
		Dir: filepath.Join(dir, workspaceOf(v)), Prefix: v.one(t, "prefix"), System: v.one(t, "system"), Extra: v.extras(t), NarHash: v.one(t, "narHash"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.Key != want {
		t.Errorf("key %s, want %s", d.Key, want)
	}
	if restore := v.all("restore"); !slices.Equal(d.RestoreKeys, restore) {
		t.Errorf("restore keys %q, want %q", d.RestoreKeys, restore)
	}
}

// Compute returns the same digests for files on disk as the framing alone.
func TestVectorsOnDisk(t *testing.T) {
	eachVector(t, func(t *testing.T, v vector) {
		entries := v.all("entry")
		if v.one(t, "kind") != "ingredient" || slices.ContainsFunc(entries, func(e string) bool { return e[0] == 'g' }) {
			return // submodules need git, and a script of tools/cachekey tests them
		}
		dir := t.TempDir()
		layOut(t, dir, entries)
		o := Options{Dir: dir, NarHash: "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", AllowMissing: true,
			Locks: []string{"**"}, TaskFiles: []string{"**"}}
		d, err := Compute(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := d.Ingredient(v.one(t, "ingredient")).Digest, v.one(t, "expect"); got != want {
			t.Errorf("digest %s, want %s", got, want)
		}
	})
}

func layOut(t *testing.T, dir string, entries []string) {
	t.Helper()
	for _, line := range entries {
		f := fields(t, line)
		path := filepath.Join(dir, f[1])
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		var err error
		if f[0] == "l" {
			err = os.Symlink(f[2], path)
		} else {
			err = os.WriteFile(path, []byte(f[2]), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
