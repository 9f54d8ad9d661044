package seal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"cachekey/internal/digest"
)

// TestMemoryIsFlat verifies a seal of many entries, all of which are missing, and
// measures the memory in use when nearly all have been reported.
func TestMemoryIsFlat(t *testing.T) {
	const entries = 300_000
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, ".same"), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(root, ".same", "seal.json"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(f, here, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Add(Entry{Path: "store", Dir: true})
	for i := range entries {
		w.Add(Entry{Path: fmt.Sprintf("store/%064x.json", i), Size: 1, Digest: digest.Of(nil)})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	reported, before, at := 0, inUse(), uint64(0)
	v, err := Verify(context.Background(), VerifyOptions{Root: root, System: here.System, Locks: "locks1", Warnf: t.Logf,
		Report: func(Finding) {
			if reported++; reported == entries-10_000 {
				at = inUse()
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	if reported != entries+1 || v.Missing != entries+1 || v.State != None {
		t.Errorf("%d entries were reported: %+v", reported, v)
	}
	// Buffers and some batches; the entries alone would be 40 MiB.
	if at > before+8<<20 {
		t.Errorf("%d KiB were in use before, %d KiB after %d entries", before>>10, at>>10, reported)
	}
}
