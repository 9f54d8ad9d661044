package seal

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// FuzzReader checks that a seal that is accepted has exactly the bytes that a Writer
// writes for it, except for the spelling of the key's document, and that its entries
// are a tree below .same/cache and .same/store.
func FuzzReader(f *testing.F) {
	for _, k := range []*MACKey{nil, mac(goodSecret)} {
		var b bytes.Buffer
		w, err := NewWriter(&b, here, k)
		if err != nil {
			f.Fatal(err)
		}
		w.Add(Entry{Path: "cache", Dir: true})
		w.Add(Entry{Path: "store", Dir: true})
		w.Add(Entry{Path: "store/x é.json", Size: 12, Digest: digest.Of([]byte("x"))})
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(bytes.Replace(b.Bytes(), []byte("store/x"), []byte("store/../x"), 1))
		f.Add(bytes.Replace(b.Bytes(), []byte(`"size":12`), []byte(`"size":012`), 1))
		f.Add(bytes.Replace(b.Bytes(), []byte(`"path":"store"`), []byte(`"path":"stor"`), 1))
	}
	var empty bytes.Buffer
	w, err := NewWriter(&empty, here, nil)
	if err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(empty.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		// A fuzzer hardly ever finds the right digest: compute it.
		if i := bytes.LastIndex(data, []byte("],\n")); i >= 0 {
			above := data[:i+3]
			data = append(bytes.Clone(above), `"digest":"`+digest.Of(above).String()+"\"}\n"...)
		}
		r, err := NewReader(bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		var entries []Entry
		for {
			e, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			if !strings.HasPrefix(e.Path+"/", "store/") && !strings.HasPrefix(e.Path+"/", "cache/") || filepath.Clean(e.Path) != e.Path {
				t.Fatalf("path %q is outside of the sealed directories", e.Path)
			}
			if n := len(entries); n > 0 && disk.Compare(entries[n-1].Path, e.Path) >= 0 {
				t.Fatalf("%q comes after %q", e.Path, entries[n-1].Path)
			}
			entries = append(entries, e)
		}
		var b bytes.Buffer
		w, err := NewWriter(&b, &r.Doc, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			w.Add(e)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_, want, _ := bytes.Cut(data, []byte("\n"))
		_, got, _ := bytes.Cut(b.Bytes(), []byte("\n"))
		i, j := bytes.LastIndex(want, []byte("],\n")), bytes.LastIndex(got, []byte("],\n"))
		if !bytes.Equal(want[:i], got[:j]) {
			t.Fatalf("read\n%s\nwritten again\n%s", want, got)
		}
	})
}

// FuzzVerify checks that Verify never returns an error because of a seal, whatever
// its bytes, and that a second Verify finds nothing to remove.
func FuzzVerify(f *testing.F) {
	docText, err := json.Marshal(here)
	if err != nil {
		f.Fatal(err)
	}
	head := `{"seal":"v2","key":` + string(docText) + `,"entries":[` + "\n"
	f.Add(head+`{"path":"store","type":"d"},`+"\n"+`{"path":"store/a","type":"f","size":1,"digest":"`+digest.Of([]byte("a")).String()+`"}`+"\n],\n", "store/a", "a")
	f.Add(head+"],\n", "cache/b\n", "b")
	f.Add("", "store/a/b/c", "")
	f.Fuzz(func(t *testing.T, above, name, content string) {
		root := t.TempDir()
		same := filepath.Join(root, ".same")
		if err := os.MkdirAll(same, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(same+"/seal.json", []byte(above+`"digest":"`+digest.Of([]byte(above)).String()+"\"}\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if filepath.IsLocal(name) && (strings.HasPrefix(name, "store/") || strings.HasPrefix(name, "cache/")) {
			if os.MkdirAll(filepath.Dir(filepath.Join(same, name)), 0o777) == nil {
				_ = os.WriteFile(filepath.Join(same, name), []byte(content), 0o666)
			}
		}
		v, err := Verify(context.Background(), VerifyOptions{Root: root, System: here.System, Locks: "locks1",
			Report: func(f Finding) {
				if strings.ContainsAny(f.String(), "\n\r\x1b") {
					t.Errorf("a name broke the line %q", f)
				}
			}, Warnf: t.Logf})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Verify(context.Background(), VerifyOptions{Root: root, System: here.System, Locks: "locks1",
			Report: func(Finding) {}, Warnf: t.Logf})
		if err != nil {
			t.Fatal(err)
		}
		if again.Removed != 0 || again.Kept != v.Kept {
			t.Errorf("first %+v, then %+v", v, again)
		}
	})
}
