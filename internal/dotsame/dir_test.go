package dotsame

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cachekey/internal/digest"
)

// TestClearTemp checks that temporary files of killed runs are removed, and nothing
// through a link.
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
		t.Errorf("the target of a link was removed: %v", err)
	}
}

// TestSharedBlocksAreVerified checks that contents are verified where the file system
// shares blocks instead of copying: the blob may have changed since.
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

// TestBuildInfoOfAnotherTask checks that a build info under the file name of another
// task is an error.
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

// TestUsedLeavesHardLinksAlone checks that Used does not change a build info that is
// a hard link to another file.
func TestUsedLeavesHardLinksAlone(t *testing.T) {
	root := t.TempDir()
	d := Open(root)
	old := time.Unix(1e9, 0)
	used := func() bool {
		d.Used("a", digest.Digest{})
		info, err := os.Stat(d.Path(InfoPath("a")))
		if err != nil {
			t.Fatal(err)
		}
		return !info.ModTime().Equal(old)
	}
	for _, step := range []error{
		d.WriteFile(InfoPath("a"), []byte("{}")), os.Chtimes(d.Path(InfoPath("a")), old, old),
		os.Link(d.Path(InfoPath("a")), filepath.Join(root, "other")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if used() {
		t.Error("the time of a file with two names has changed")
	}
	if err := os.Remove(filepath.Join(root, "other")); err != nil {
		t.Fatal(err)
	}
	if !used() {
		t.Error("the time of a file with one name has not changed")
	}
}

// TestUnsealRemovesADirectory checks that a directory in place of the seal is removed
// before the first write, with its contents.
func TestUnsealRemovesADirectory(t *testing.T) {
	d := Open(t.TempDir())
	if err := os.MkdirAll(filepath.Join(d.Path(Seal), "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile(InfoPath("a"), []byte("{}")); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(d.Path(Seal)); err == nil {
		t.Error("the directory is still there")
	}
}
