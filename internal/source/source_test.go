package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nix-community/go-nix/pkg/nar"
	"golang.org/x/sys/unix"
)

// sizes has the boundaries of the format and of the pieces in which files are read.
var sizes = []int{0, 1, 7, 8, 9, 4095, 4096, stretchSize - 1, stretchSize, stretchSize + 1, pieceSize - 1, pieceSize, pieceSize + 1, 3*pieceSize - 1, 3 * pieceSize, 3*pieceSize + 13}

// randomTree fills dir. go-nix refuses names that begin with "..", so none does.
func randomTree(t *testing.T, r *rand.Rand, dir string, depth int) {
	t.Helper()
	for i := range 2 + r.IntN(8) {
		name := filepath.Join(dir, fmt.Sprintf("%c%s%d", []rune("aA.-_~é")[r.IntN(7)], []string{"", "-", "x.b", "\n", "ü", "\xff"}[r.IntN(6)], i))
		var err error
		switch k := r.IntN(10); {
		case k < 2 && depth > 0:
			if err = os.Mkdir(name, 0o777); err == nil {
				randomTree(t, r, name, depth-1)
			}
		case k == 2:
			err = os.Symlink([]string{"nowhere", "/absolute", "../up/", name, "new\nline"}[r.IntN(5)], name)
		default:
			size := r.IntN(300)
			if r.IntN(10) == 0 {
				size = sizes[r.IntN(len(sizes))]
			}
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			err = os.WriteFile(name, b, []os.FileMode{0o644, 0o755, 0o600, 0o700, 0o744, 0o654}[r.IntN(6)])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// go-nix is another implementation of the NAR; the tests of tools/cachekey
// compare with Nix itself.
func TestNarHashEqualsGoNix(t *testing.T) {
	for seed := range uint64(20) {
		dir := t.TempDir()
		randomTree(t, rand.New(rand.NewPCG(seed, 0)), dir, 4)
		checkAgainstGoNix(t, dir, fmt.Sprintf("seed %d", seed))
	}
	dir := t.TempDir()
	for _, size := range sizes {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(size)), bytes.Repeat([]byte{byte(size)}, size), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	checkAgainstGoNix(t, dir, "sizes")
	checkAgainstGoNix(t, t.TempDir(), "empty")
}

// TestOpenEndsWithContext interrupts the listing of a tree without git.
func TestOpenEndsWithContext(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "c"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	tree, err := Open(ctx, dir, Options{Skip: func(string, bool) bool { seen++; cancel(); return false }})
	if !errors.Is(err, context.Canceled) || seen != 1 {
		t.Errorf("got %v, %v after %d names", tree, err, seen)
	}
}

func checkAgainstGoNix(t *testing.T, dir, what string) {
	t.Helper()
	h := sha256.New()
	if err := nar.DumpPath(h, dir); err != nil {
		t.Fatal(err)
	}
	var done, total int64
	tree, err := Open(t.Context(), dir, Options{Progress: func(d, of int64) {
		if d < done || of != total && total != 0 {
			t.Errorf("%s: %d of %d bytes after %d of %d", what, d, of, done, total)
		}
		done, total = d, of
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	got, err := tree.NarHash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if size := contentBytes(t, dir); done != size || total != size {
		t.Errorf("%s: progress ended at %d of %d bytes, want %d", what, done, total, size)
	}
	if want := Hash(h.Sum(nil)); got != want {
		t.Errorf("%s: got %s, go-nix has %s", what, got, want)
	}
}

func contentBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A tree that is written to between listing and reading has no hash.
func TestChanged(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"grown":     func(dir string) error { return os.WriteFile(dir+"/sub/file", []byte("longer"), 0o666) },
		"rewritten": func(dir string) error { return os.WriteFile(dir+"/sub/file", []byte("gone"), 0o666) },
		"removed":   func(dir string) error { return os.Remove(dir + "/sub/file") },
		"replaced": func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/sub/new", []byte("text"), 0o666), os.Rename(dir+"/sub/new", dir+"/sub/file"))
		},
		"added": func(dir string) error { return os.WriteFile(dir+"/sub/more", nil, 0o666) },
		"mode":  func(dir string) error { return os.Chmod(dir+"/sub/file", 0o755) },
		"link": func(dir string) error {
			return errors.Join(os.Remove(dir+"/sub/link"), os.Symlink("x", dir+"/sub/link"))
		},
		"link to file": func(dir string) error {
			return errors.Join(os.Remove(dir+"/sub/link"), os.WriteFile(dir+"/sub/link", nil, 0o666))
		},
		"file to link": func(dir string) error {
			return errors.Join(os.Remove(dir+"/sub/file"), os.Symlink("x", dir+"/sub/file"))
		},
		"directory": func(dir string) error { return os.RemoveAll(dir + "/sub") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.Mkdir(dir+"/sub", 0o777), os.WriteFile(dir+"/sub/file", []byte("text"), 0o666),
				os.Symlink("target", dir+"/sub/link")); err != nil {
				t.Fatal(err)
			}
			tree, err := Open(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
			var c *ChangedError
			if _, err := tree.NarHash(t.Context()); !errors.As(err, &c) {
				t.Errorf("got error %v, want a *ChangedError", err)
			}
		})
	}
}

// Git may rewrite its index at any time, but the index must list the same files.
func TestIndexChanged(t *testing.T) {
	for name, c := range map[string]struct {
		args    []string
		changed bool
	}{
		"rewritten":   {[]string{"update-index", "--force-write-index"}, false},
		"a file more": {[]string{"add", "more"}, true},
		"a file less": {[]string{"rm", "-q", "--cached", "file"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			git := func(args ...string) {
				t.Helper()
				if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
					t.Fatalf("git %q: %v\n%s", args, err, out)
				}
			}
			git("init", "-q")
			for _, f := range []string{"flake.nix", "file", "more"} {
				if err := os.WriteFile(filepath.Join(dir, f), []byte("{ outputs = _: { }; }"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			git("add", "flake.nix", "file")
			tree, err := Open(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			git(c.args...)
			if _, err := tree.NarHash(t.Context()); errors.As(err, new(*ChangedError)) != c.changed || err != nil != c.changed {
				t.Errorf("got error %v, want a *ChangedError: %t", err, c.changed)
			}
		})
	}
}

// With core.ignorecase, git's default on macOS, each directory is listed once.
// Listing every ancestor again for each took 300 times as long for this tree.
func TestIgnoreCaseIsLinear(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	if err := os.WriteFile(dir+"/flake.nix", []byte("{ outputs = _: { }; }"), 0o666); err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		sub := fmt.Sprintf("%s/pkgs/p%d", dir, i)
		if err := errors.Join(os.MkdirAll(sub, 0o777), os.WriteFile(sub+"/file", nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	git("add", ".")
	// CPU time, the least of three runs, because other programs run too.
	cpu := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	measure := func(ignoreCase string) (least time.Duration, hash Hash) {
		git("config", "core.ignorecase", ignoreCase)
		for i := range 3 {
			start := cpu()
			tree, err := Open(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			if took := cpu() - start; i == 0 || took < least {
				least = took
			}
			if hash, err = tree.NarHash(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return least, hash
	}
	exact, want := measure("false")
	folded, got := measure("true")
	if got != want {
		t.Errorf("narHash with core.ignorecase: got %s, want %s", got, want)
	}
	if folded > 10*exact {
		t.Errorf("listing took %v of processor time with core.ignorecase, %v without", folded, exact)
	}
}

func TestParseHash(t *testing.T) {
	const empty = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" // printf '' | openssl dgst -sha256 -binary | base64
	h, err := ParseHash(empty)
	if err != nil || h != sha256.Sum256(nil) || h.String() != empty {
		t.Errorf("ParseHash(%q) = %v, %v", empty, h, err)
	}
	for _, bad := range []string{"", "sha256-", "sha256:" + empty[7:], "sha512-" + empty[7:], empty + "\n", empty[:50], empty[:50] + "\n=",
		"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=", " " + empty, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("ParseHash(%q): no error", bad)
		}
	}
}
