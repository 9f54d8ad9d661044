package dotsame

import (
	"io/fs"
	"os"
	"testing"

	"cachekey/internal/digest"
)

func TestBlobModes(t *testing.T) {
	file := func(p, content string, mode Mode) Output {
		return Output{Path: p, Type: TypeFile, Mode: mode, Size: int64(len(content)), Digest: digest.Of([]byte(content))}
	}
	dir := func(p string, mode Mode) Output { return Output{Path: p, Type: TypeDir, Mode: mode} }
	got := BlobModes([]Output{
		file("copy", "twice", 0o644),
		dir("group", 0o750), file("group/file", "group", 0o755),
		file("key", "key", 0o600),
		file("none", "none", 0),
		dir("private", 0o700), dir("private/a", 0o755), file("private/a/file", "private", 0o644),
		file("public", "public", 0o777),
		dir("unlisted", 0o711), file("unlisted/file", "unlisted", 0o644), file("unlisted/twice", "twice", 0o640),
		dir("x", 0o755), file("x/file", "x", 0o444),
	})
	for content, want := range map[string]fs.FileMode{"twice": 0o440, "group": 0o440, "key": 0o400, "none": 0o400, "private": 0o400, "public": 0o444, "unlisted": 0o444, "x": 0o444} {
		if mode := got[digest.Of([]byte(content))]; mode != want {
			t.Errorf("%s: got %04o, want %04o", content, mode, want)
		}
	}
}

// TestBlobIsProtected checks that a blob of several outputs has the most restrictive
// permissions of them, and that those of a file with other hard links stay.
func TestBlobIsProtected(t *testing.T) {
	d := Open(t.TempDir())
	f, err := d.Temp()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("secret"); err != nil {
		t.Fatal(err)
	}
	sum := digest.Of([]byte("secret"))
	perm := func() fs.FileMode {
		st, err := os.Lstat(d.Path(BlobPath(sum)))
		if err != nil {
			t.Fatal(err)
		}
		return st.Mode().Perm()
	}
	for _, c := range []struct{ mode, want fs.FileMode }{{0o444, 0o444}, {0o440, 0o440}, {0o444, 0o440}, {0o400, 0o400}} {
		if err := d.PutBlob(f, sum, 6, c.mode); err != nil || perm() != c.want {
			t.Errorf("kept for %04o: got %04o, want %04o: %v", c.mode, perm(), c.want, err)
		}
	}
	if err := os.Chmod(d.Path(BlobPath(sum)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(d.Path(BlobPath(sum)), d.Path("elsewhere")); err != nil {
		t.Fatal(err)
	}
	if is, err := d.KeepBlob(sum, 6, 0o400); !is || err != nil || perm() != 0o644 {
		t.Errorf("a hard link: got %v, %v, %04o", is, err, perm())
	}
}
