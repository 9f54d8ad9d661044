package dotsame

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// countHashes counts the files that are hashed from now on.
func countHashes(t *testing.T) *int {
	t.Helper()
	n := 0
	hashFile = func(ctx context.Context, fd int, size int64, to io.Writer) (digest.Digest, int64, error) {
		n++
		return disk.Hash(ctx, fd, size, to)
	}
	t.Cleanup(func() { hashFile = disk.Hash })
	return &n
}

func putBlob(t *testing.T, d *Dir, content string) digest.Digest {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	sum := digest.Of([]byte(content))
	if err := d.PutBlob(f, sum, int64(len(content)), 0o444); err != nil {
		t.Fatal(err)
	}
	return sum
}

func getBlob(t *testing.T, d *Dir, sum digest.Digest, size int64) (string, error) {
	t.Helper()
	to, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	err = d.GetBlob(to, sum, size)
	data, readErr := os.ReadFile(to.Name())
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(data), err
}

// TestProofs checks how often a blob is read, with and without reflinks: once, until
// something may have changed it, also by another process.
func TestProofs(t *testing.T) {
	for name, share := range map[string]func(to, from *os.File) error{"as it is": reflink, "without reflinks": func(_, _ *os.File) error { return os.ErrInvalid }} {
		t.Run(name, func(t *testing.T) {
			shareBlocks = share
			defer func() { shareBlocks = reflink }()
			root := t.TempDir()
			d := Open(root)
			hashes := countHashes(t)
			read := func(what string, want int) {
				t.Helper()
				if *hashes != want {
					t.Errorf("%s: %d files were hashed, want %d", what, *hashes, want)
				}
				*hashes = 0
			}
			sum := putBlob(t, d, "content")
			read("put", 1)
			get := func() {
				t.Helper()
				if got, err := getBlob(t, d, sum, 7); got != "content" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			}
			get()
			if !d.ProveBlob(sum, 7) || d.ProveBlob(sum, 8) {
				t.Error("it is not proven")
			}
			if kept, err := d.KeepBlob(sum, 7, 0o400); !kept || err != nil { // which changes its stamp
				t.Errorf("kept %v, %v", kept, err)
			}
			get()
			read("afterwards", 0)

			// Another process cannot tell without the file, nor if the blob was written in this
			// tick of the clock.
			if data := d.Proofs().encode(d.Proofs().opened, nil); len(data) != len(proofMagic)+8+digest.Size {
				t.Errorf("%d bytes are saved of a blob that was written just now", len(data))
			}
			time.Sleep(20 * time.Millisecond) // until the clock of the file system has moved
			d = Open(root)
			get()
			get()
			read("by another process", 1)
			if err := d.SaveProofs(); err != nil {
				t.Fatal(err)
			}
			d = Open(root)
			get()
			read("that has the file", 0)

			// This process has written it, so that is enough when the clock has moved.
			if err := os.Remove(d.Path(BlobPath(sum))); err != nil {
				t.Fatal(err)
			}
			putBlob(t, d, "content")
			time.Sleep(20 * time.Millisecond)
			if err := d.SaveProofs(); err != nil {
				t.Fatal(err)
			}
			*hashes = 0
			d = Open(root)
			get()
			if !d.ProveBlob(sum, 7) {
				t.Error("it is not proven")
			}
			read("by a third", 0)

			// A damaged file of proofs proves nothing.
			data, err := os.ReadFile(d.Path(ProvenBlobs))
			if err != nil {
				t.Fatal(err)
			}
			for i := range data {
				data[i] ^= 1
				if _, _, err := parseProofs(data); err == nil {
					t.Errorf("byte %d", i)
				}
				data[i] ^= 1
				if _, _, err := parseProofs(data[:i]); err == nil {
					t.Errorf("%d bytes", i)
				}
			}

			// Other bytes with the same size and mtime are not proven.
			blob := d.Path(BlobPath(sum))
			st, err := os.Stat(blob)
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{os.Chmod(blob, 0o644), os.WriteFile(blob, []byte("CONTENT"), 0o644), os.Chtimes(blob, st.ModTime(), st.ModTime()), os.Chmod(blob, 0o400)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if d.ProveBlob(sum, 7) {
				t.Error("a damaged blob is proven")
			}
			if kept, err := d.KeepBlob(sum, 7, 0o444); kept || err != nil {
				t.Errorf("kept %v, %v", kept, err)
			}
			if putBlob(t, d, "content"); !d.ProveBlob(sum, 7) {
				t.Error("it was not replaced")
			}
			get()

			// One of another size is not even read.
			if err := os.Truncate(blob, 1<<40); err != nil {
				t.Skip(err)
			}
			*hashes = 0
			if _, err := getBlob(t, d, sum, 7); !errors.Is(err, ErrBadBlob) || d.HasBlob(sum, 1<<40) {
				t.Errorf("a blob of 1 TiB: %v", err)
			}
			putBlob(t, d, "content")
			if err := os.Truncate(blob, 1<<40); err != nil {
				t.Fatal(err)
			}
			if err := d.CopyLog(io.Discard, &Log{Size: 7, Digest: sum}); !errors.Is(err, ErrBadBlob) {
				t.Errorf("a log of 1 TiB: %v", err)
			}
			read("of another size", 1) // that was put
		})
	}
}

// TestProofsAreBounded checks that proofs of removed blobs do not stay for ever.
func TestProofsAreBounded(t *testing.T) {
	p := &Proofs{found: map[digest.Digest]proof{}}
	for i := range 25_000 {
		p.found[digest.Of([]byte{byte(i), byte(i >> 8)})] = proof{stamp: disk.Stamp{Ino: uint64(i)}, settled: i%5 != 0}
	}
	kept := digest.Of([]byte{1, 0})
	entries, before, err := parseProofs(p.encode(clock{}, func(d digest.Digest) bool { return d == kept }))
	if err != nil || before != 1 || len(entries) != proofEntry {
		t.Fatalf("%d bytes, %d, %v", len(entries), before, err)
	}
	again := &Proofs{saved: entries, found: map[digest.Digest]proof{}}
	if !again.Has(kept, disk.Stamp{Ino: 1}) || again.Has(kept, disk.Stamp{Ino: 2}) || again.Has(digest.Of([]byte{2, 0}), disk.Stamp{Ino: 2}) {
		t.Error("the entry is wrong")
	}
}
