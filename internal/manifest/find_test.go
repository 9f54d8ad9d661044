package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cachekey/internal/message"

	"github.com/rogpeppe/go-internal/txtar"
)

func TestFind(t *testing.T) {
	root := unpack(t, txtar.Parse([]byte(`
-- work/same.work.yaml --
-- work/a/same.yaml --
-- work/a/b/same.yaml --
-- work/a/b/c/file --
-- alone/same.yaml --
-- alone/in/same.yaml --
-- alone/in/deep/file --
-- odd/same.yaml/a-directory --
-- none/file --
-- short/same.yml --
`)))
	for _, tt := range []struct{ name, dir, want, err string }{
		{"the nearest workspace wins over a nearer task file", "work/a/b/c", "work/same.work.yaml", ""},
		{"the workspace's own directory", "work", "work/same.work.yaml", ""},
		{"the nearest task file", "alone/in/deep", "alone/in/same.yaml", ""},
		{"a directory of that name", "odd", "", "is not a regular file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Find(filepath.Join(root, tt.dir))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %q, %v", got, err)
				}
				return
			}
			if want := filepath.Join(root, tt.want); err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	t.Run("no manifest", func(t *testing.T) {
		_, err := Find(filepath.Join(root, "none"))
		if err == nil || !strings.Contains(err.Error(), "no same.work.yaml or same.yaml in") || message.Hint(err) == "" {
			t.Errorf("got %v, hint %q", err, message.Hint(err))
		}
	})
	t.Run("another extension", func(t *testing.T) {
		_, err := Find(filepath.Join(root, "short"))
		if want := "rename same.yml to same.yaml"; err == nil || message.Hint(err) != want {
			t.Errorf("got %v, hint %q, want %q", err, message.Hint(err), want)
		}
	})
	t.Run("a missing directory", func(t *testing.T) {
		// Must not find the manifest of a directory above.
		if _, err := Load(filepath.Join(root, "alone", "gone")); !os.IsNotExist(err) {
			t.Errorf("got %v", err)
		}
	})
}
