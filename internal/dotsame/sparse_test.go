package dotsame

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"cachekey/internal/digest"
)

// TestSparse stores and restores a file of 64 MiB that has 20 kB of data, as blobs that
// are proven and that are not.
func TestSparse(t *testing.T) {
	shareBlocks = func(_, _ *os.File) error { return os.ErrInvalid }
	defer func() { shareBlocks = reflink }()
	name := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{0, 5000, 1<<20 - 1, 30 << 20, 64<<20 - 4097} {
		if _, err := f.WriteAt(bytes.Repeat([]byte{1}, 4000), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(64<<20 + 5); err != nil {
		t.Fatal(err)
	}
	blocks := func(name string) int64 {
		t.Helper()
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	if blocks(name) > 1<<20 {
		t.Skip("the file system has no sparse files")
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	sum := digest.Of(want)
	root := t.TempDir()
	d := Open(root)
	if err := d.PutBlob(f, sum, int64(len(want)), 0o444); err != nil {
		t.Fatal(err)
	}
	if n := blocks(d.Path(BlobPath(sum))); n > 1<<20 {
		t.Errorf("the blob takes %d bytes", n)
	}
	for _, d := range []*Dir{d, Open(root)} { // proven, and not
		to, err := os.Create(filepath.Join(t.TempDir(), "restored"))
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		if err := d.GetBlob(to, sum, int64(len(want))); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(to.Name())
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		if n := blocks(to.Name()); n > 1<<20 {
			t.Errorf("the restored file takes %d bytes", n)
		}
	}
}
