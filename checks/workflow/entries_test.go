package workflow

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nektos/act/pkg/artifactcache"
	"github.com/timshannon/bolthold"
	"go.etcd.io/bbolt"
)

// entries returns the complete entries of the cache server, oldest first.
func (h *hub) entries(t *testing.T) []artifactcache.Cache {
	t.Helper()
	file := filepath.Join(h.cache, "bolt.db")
	if _, err := os.Stat(file); os.IsNotExist(err) {
		return nil // no run yet
	}
	db, err := bolthold.Open(file, 0o644, &bolthold.Options{
		Encoder: json.Marshal, Decoder: json.Unmarshal,
		Options: &bbolt.Options{ReadOnly: true},
	})
	must(t, err)
	defer db.Close()
	var all []artifactcache.Cache
	must(t, db.Find(&all, bolthold.Where("Complete").Eq(true).SortBy("ID")))
	return all
}

// keys returns the keys of the entries, oldest first.
func (h *hub) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for _, e := range h.entries(t) {
		keys = append(keys, e.Key)
	}
	return keys
}

// archive returns the path of the archive of an entry.
func (h *hub) archive(e artifactcache.Cache) string {
	return filepath.Join(h.cache, "cache", fmt.Sprintf("%02x", e.ID%0xff), fmt.Sprint(e.ID))
}

// unpacked extracts an entry. It returns the directory, and the path of every file in
// it, sorted.
func (h *hub) unpacked(t *testing.T, e artifactcache.Cache) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	command(t, dir, "tar", "-xf", h.archive(e))
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	}))
	slices.Sort(files)
	return dir, files
}

// replace replaces the contents of an entry by those of dir, like an attacker who can
// write to the cache.
func (h *hub) replace(t *testing.T, e artifactcache.Cache, dir string) {
	t.Helper()
	file := h.archive(e)
	names, err := os.ReadDir(dir)
	must(t, err)
	args := []string{"--zstd", "-cf", file}
	for _, name := range names {
		args = append(args, name.Name())
	}
	tar := exec.Command("tar", args...)
	tar.Dir = dir
	if out, err := tar.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	_, err = os.Stat(file)
	must(t, err)
}
