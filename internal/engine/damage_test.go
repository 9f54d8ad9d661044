package engine

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDamage damages one file after another below .same, and edits the sources. Every
// run succeeds, with the outputs of a run from nothing.
func TestDamage(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 100+seed)
			w.damaged("from nothing")
			for range 20 {
				what := w.damage()
				switch w.rand.IntN(4) {
				case 0:
					what += ", " + w.edit()
				case 1:
					w.switchBack()
					what += ", switched back to older sources"
				}
				if w.rand.IntN(3) > 0 {
					what += ", removed the outputs"
					if err := os.RemoveAll(filepath.Join(w.root, "out")); err != nil {
						t.Fatal(err)
					}
				}
				w.damaged(what)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// damaged runs everything and compares the outputs. Which tasks run depends on
// the damage.
func (w *world) damaged(what string) {
	w.write("same.yaml", modelFile{content: w.model.manifest(w.log)})
	var all []int
	for i := range w.model.tasks {
		all = append(all, i)
	}
	w.model.run(all, w.log, false)
	w.plan([]string{"all"})
	w.run([]string{"all"})
	w.compareOutputs(what)
}

// damage damages one file below .same, and describes how.
func (w *world) damage() string {
	var files []string
	err := filepath.WalkDir(filepath.Join(w.root, ".same"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.Contains(name, "/aside/") {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(files)
	name := files[w.rand.IntN(len(files))]
	what, err := damageFile(w.rand, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return what + " " + strings.TrimPrefix(name, w.root)
}

func damageFile(r *rand.Rand, name string) (string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	_ = os.Chmod(name, 0o644)
	switch r.IntN(6) {
	case 0:
		return "removed", os.Remove(name)
	case 1:
		return "emptied", os.Truncate(name, 0)
	case 2:
		return "cut short", os.Truncate(name, int64(len(data)/2))
	case 3:
		if err := os.Remove(name); err != nil {
			return "", err
		}
		return "replaced by a link", os.Symlink("/dev/zero", name)
	case 4:
		if err := os.Remove(name); err != nil {
			return "", err
		}
		return "replaced by a directory", os.MkdirAll(filepath.Join(name, "x"), 0o755)
	}
	if len(data) == 0 {
		return "left alone", nil
	}
	data[r.IntN(len(data))] ^= 1 << r.IntN(8)
	return "flipped a bit of", os.WriteFile(name, data, 0o644)
}
