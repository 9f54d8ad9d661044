package dotsame

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"cachekey/internal/digest"
)

// ClearTemp removes the temporary files of killed runs, but nothing through a link.
func TestClearTemp(t *testing.T) {
	d := Open(t.TempDir())
	f, err := d.Temp()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := d.ClearTemp(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Name()); err == nil {
		t.Error("the temporary file is still there")
	}

	outside := t.TempDir()
	precious := filepath.Join(outside, "tmp/precious")
	if err := os.MkdirAll(precious, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(d.Path(Local)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, d.Path(Local)); err != nil {
		t.Fatal(err)
	}
	_ = d.ClearTemp()
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("the target of a link is gone: %v", err)
	}
}

// Where the file system shares blocks instead of copying, the shared contents are
// verified: the blob may have changed since.
func TestSharedBlocksAreVerified(t *testing.T) {
	defer func(was func(to, from *os.File) error) { shareBlocks = was }(shareBlocks)
	d := Open(t.TempDir())
	for _, content := range []string{"good", "evil"} {
		shareBlocks = func(to, _ *os.File) error { _, err := to.WriteString(content); return err }
		f, err := d.Temp()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		to, err := d.Temp()
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		want := error(nil)
		if content == "evil" {
			want = ErrBadBlob
		}
		if err := copyVerified(to, f, digest.Of([]byte("good")), 4); !errors.Is(err, want) {
			t.Errorf("%s: got %v", content, err)
		}
	}
}

// A build info under the file name of another task is an error.
func TestBuildInfoOfAnotherTask(t *testing.T) {
	d := Open(t.TempDir())
	b := sample()
	if err := d.WriteBuildInfo(b); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.Path(InfoPath(b.TaskName)), d.Path(InfoPath("another"))); err != nil {
		t.Fatal(err)
	}
	if info, err := d.ReadBuildInfo("another"); err == nil {
		t.Errorf("got %+v", info)
	}
}
