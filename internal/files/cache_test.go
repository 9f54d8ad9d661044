package files

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

func digests(t testing.TB, tr *Index) map[string]digest.Digest {
	t.Helper()
	found := map[string]digest.Digest{}
	for _, f := range match(t, tr, []string{"**"}, nil).Found {
		found[f.Path] = f.Digest
	}
	return found
}

// settle waits until the file system's clock has advanced beyond all earlier
// writes.
func settle(t testing.TB) {
	t.Helper()
	probe, first := filepath.Join(t.TempDir(), "probe"), time.Time{}
	for {
		if err := os.WriteFile(probe, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(probe)
		if err != nil {
			t.Fatal(err)
		}
		if first.IsZero() {
			first = info.ModTime()
		} else if info.ModTime().After(first) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func save(t testing.TB, tr *Index) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tr.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNothingIsReadTwice(t *testing.T) {
	root := world(t, "a", "d/b", "d/e/c", "link -> d/e/c")
	settle(t)
	tr := openTree(t, root)
	want := digests(t, tr)
	if want["d/b"] != digest.Of([]byte("d/b")) || want["link"] != digest.Of([]byte("d/e/c")) {
		t.Fatalf("digests %v", want)
	}
	cache := save(t, tr)
	again := openTree(t, root)
	if err := again.Load(cache); err != nil {
		t.Fatal(err)
	}
	got := digests(t, again)
	for p, d := range want {
		if got[p] != d {
			t.Errorf("%s: %v, want %v", p, got[p], d)
		}
	}
	if again.Dirty() {
		t.Error("a file was read again")
	}
	if !bytes.Equal(save(t, again), cache) {
		t.Error("the stat cache changed")
	}
}

// A cached digest is used for as long as the stamp stays the same, so every change
// must change the stamp. The digests are replaced by wrong ones to see whether
// they are used.
func TestEveryChangeIsNoticed(t *testing.T) {
	changes := map[string]func(t *testing.T, name string, before os.FileInfo) error{
		"same size, time restored": func(t *testing.T, name string, before os.FileInfo) error {
			if err := os.WriteFile(name, []byte("X"), 0o644); err != nil {
				return err
			}
			return os.Chtimes(name, before.ModTime(), before.ModTime())
		},
		"replaced by a file of the same size and time": func(t *testing.T, name string, before os.FileInfo) error {
			other := filepath.Join(t.TempDir(), "other")
			if err := os.WriteFile(other, []byte("X"), 0o644); err != nil {
				return err
			}
			if err := os.Chtimes(other, before.ModTime(), before.ModTime()); err != nil {
				return err
			}
			return os.Rename(other, name)
		},
		"mode":      func(t *testing.T, name string, _ os.FileInfo) error { return os.Chmod(name, 0o755) },
		"size":      func(t *testing.T, name string, _ os.FileInfo) error { return os.Truncate(name, 0) },
		"to a link": func(t *testing.T, name string, _ os.FileInfo) error { os.Remove(name); return os.Symlink("X", name) },
	}
	for what, change := range changes {
		t.Run(what, func(t *testing.T) {
			root := world(t, "f", "g")
			settle(t)
			tr := openTree(t, root)
			before := digests(t, tr)
			st, err := os.Stat(filepath.Join(root, "f"))
			if err != nil {
				t.Fatal(err)
			}
			d := tr.dir("")
			for i := range d.entries {
				d.entries[i].digest[0] ^= 1
			}
			if err := change(t, filepath.Join(root, "f"), st); err != nil {
				t.Fatal(err)
			}
			tr.Changed()
			after := digests(t, tr)
			content, err := os.ReadFile(filepath.Join(root, "f"))
			if err != nil && what != "to a link" {
				t.Fatal(err)
			}
			if what == "to a link" {
				content = []byte("X")
			}
			if after["f"] != digest.Of(content) {
				t.Error("the change was not noticed")
			}
			if after["g"] == before["g"] {
				t.Error("g was read again: this tests nothing")
			}
		})
	}
}

// ctime alone would show any change, but not every file system keeps it: the other
// fields count too.
func TestEveryFieldCounts(t *testing.T) {
	old := entry{stamp: disk.Stamp{Dev: 1, Ino: 1, Size: 1, Mode: 1, Mtime: 1, Ctime: 1}, digest: digest.Of(nil), settled: true}
	same := entry{stamp: old.stamp}
	if same.reuse(&old); same.digest != old.digest {
		t.Error("the digest is not reused for the same stamp")
	}
	fields := reflect.TypeFor[disk.Stamp]()
	for i := range fields.NumField() {
		e := entry{stamp: old.stamp}
		switch field := reflect.ValueOf(&e.stamp).Elem().Field(i); {
		case field.CanInt():
			field.SetInt(2)
		default:
			field.SetUint(2)
		}
		if e.reuse(&old); !e.digest.IsZero() {
			t.Errorf("a change of %s is not noticed", fields.Field(i).Name)
		}
	}
}

// A file that was hashed in the tick in which it was written may be written again
// in the same tick, which leaves its stamp unchanged. So its digest is not reused.
func TestRacyEntriesAreReadAgain(t *testing.T) {
	root := world(t, "f")
	tr := openTree(t, root)
	st, err := os.Stat(filepath.Join(root, "f"))
	if err != nil {
		t.Fatal(err)
	}
	for tick, reused := range map[int64]bool{0: false, -1: false, 1: true} {
		tr.clock.now = st.ModTime().UnixNano() + tick
		tr.epoch.Add(1)
		d := tr.dir("")
		d.mu.Lock()
		d.entries = nil
		d.listed = 0
		d.mu.Unlock()
		right := digests(t, tr)["f"]
		d.entries[0].digest[0] ^= 1
		saved := save(t, tr)
		tr.epoch.Add(1)
		if got := digests(t, tr)["f"]; (got != right) != reused {
			t.Errorf("clock %+d ns after the file's: reused is %v, want %v", tick, got != right, reused)
		}
		if in := strings.Contains(string(saved), "\x01\x00\x00\x00f"); in != reused {
			t.Errorf("clock %+d ns after the file's: in the stat cache is %v, want %v", tick, in, reused)
		}
	}
}

func TestClockOfAnotherFileSystem(t *testing.T) {
	c := &clock{now: int64(10 * time.Second), dev: 1}
	for _, test := range []struct {
		dev     uint64
		time    time.Duration
		settled bool
	}{{1, 9 * time.Second, true}, {1, 10 * time.Second, false}, {2, 9 * time.Second, false}, {2, 6 * time.Second, true}} {
		for _, st := range []disk.Stamp{{Dev: test.dev, Ctime: int64(test.time)}, {Dev: test.dev, Mtime: int64(test.time)}} {
			if got := c.settled(st); got != test.settled {
				t.Errorf("%+v: got settled %v, want %v", st, got, test.settled)
			}
		}
	}
}

func TestSaveKeepsUnreadDirectories(t *testing.T) {
	root := world(t, "a/x", "b/y")
	settle(t)
	tr := openTree(t, root)
	digests(t, tr)
	cache := save(t, tr)
	part := openTree(t, root)
	if err := part.Load(cache); err != nil {
		t.Fatal(err)
	}
	match(t, part, []string{"a"}, nil)
	if !bytes.Equal(save(t, part), cache) {
		t.Error("the entries of a directory that was not read are lost")
	}
}

func TestDamagedCacheIsRefused(t *testing.T) {
	root := world(t, "a", "b/c")
	settle(t)
	tr := openTree(t, root)
	digests(t, tr)
	cache := save(t, tr)
	for i := range cache {
		bad := bytes.Clone(cache)
		bad[i] ^= 1
		if err := openTree(t, root).Load(bad); !errors.Is(err, errBadCache) {
			t.Fatalf("with byte %d flipped: %v", i, err)
		}
		if err := openTree(t, root).Load(cache[:i]); !errors.Is(err, errBadCache) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// A stat cache of directories without entries would take many times its size.
func TestDirectoriesWithoutEntriesAreRefused(t *testing.T) {
	body := []byte(cacheMagic)
	for i := range 100 {
		body = binary.LittleEndian.AppendUint32(appendString(body, strconv.Itoa(i)), 0)
	}
	sum := digest.Of(body)
	if _, err := parseCache(append(body, sum[:]...)); !errors.Is(err, errBadCache) {
		t.Errorf("got %v, want %v", err, errBadCache)
	}
}

func FuzzParseCache(f *testing.F) {
	root := world(f, "a", "b/c")
	settle(f)
	tr := openTree(f, root)
	digests(f, tr)
	cache := save(f, tr)
	f.Add(cache[:len(cache)-digest.Size])
	f.Add([]byte(cacheMagic))
	f.Add([]byte(cacheMagic + "\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := digest.Of(body) // valid, so that parsing continues
		c, err := parseCache(append(bytes.Clone(body), sum[:]...))
		if err != nil {
			return
		}
		for dir := range c {
			c.entries(dir)
		}
	})
}
