package files

import (
	"os"
	"path/filepath"
	"testing"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// TestPrime checks how long a digest that was not computed here is relied on. It is one
// that the file does not have, so that this can be seen.
func TestPrime(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, "out", "f")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	x, err := New(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	// Written after the clock was read, so that only this run may rely on its stamp.
	if err := os.WriteFile(name, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	real, primed := digest.Of([]byte("content")), digest.Of([]byte("primed"))
	st, err := disk.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(what string, want digest.Digest) {
		t.Helper()
		for _, target := range []string{"out", "out/f"} {
			outputs, _, err := x.Scan(t.Context(), target)
			if err != nil || outputs[len(outputs)-1].Digest != want {
				t.Errorf("%s: %s: got %v, %v", what, target, outputs, err)
			}
		}
	}
	expect("before", real)
	x.ChangedPath("out/f")
	x.Prime("out/f", st, primed, x.Epoch()+1)
	expect("in another epoch", real)
	x.ChangedPath("out/f")
	x.Prime("out/f", st, primed, x.Epoch())
	expect("primed", primed)
	x.ChangedPath("out/other")
	expect("after a change of another file", primed)
	x.ChangedPath("out/f")
	expect("after a change of the file", real)
	x.ChangedPath("out/f")
	x.Prime("out/f", st, primed, x.Epoch())
	x.Changed()
	expect("after a task", real)
	x.ChangedPath("out/f")
	st.Ino++
	x.Prime("out/f", st, primed, x.Epoch())
	x.ChangedPath("out/other")
	if outputs, _, err := x.Scan(t.Context(), "out"); err != nil || outputs[1].Digest != real {
		t.Errorf("with the stamp of another file: got %v, %v", outputs, err)
	}
}
