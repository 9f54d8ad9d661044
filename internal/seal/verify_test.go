package seal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cachekey/internal/disk"
)

func TestHostileCaches(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			root := sealed(t, c.sealAs)
			same := filepath.Join(root, ".same")
			write(t, root, map[string]string{"precious": "mine", "blob": "blob", "src/a.go": "package a"})
			if c.do != nil {
				c.do(t, root, same)
			}
			v, lines, _ := verify(t, root, c.verify)
			if v.State != c.state {
				t.Errorf("state %q, want %q", v.State, c.state)
			}
			if !strings.Contains(v.Reason, c.reason) || (c.reason == "") != (v.Reason == "") {
				t.Errorf("reason %q, want %q", v.Reason, c.reason)
			}
			if len(lines) != len(c.lines) {
				t.Errorf("got  %q\nwant %q", lines, c.lines)
			} else {
				for i := range lines {
					if !strings.HasPrefix(lines[i], c.lines[i]) {
						t.Errorf("got  %q\nwant %q", lines[i], c.lines[i])
					}
				}
			}
			if !v.Flawed() {
				t.Error("the verdict is not flawed")
			}
			for _, name := range []string{"precious", "blob", "src/a.go"} {
				if _, err := os.Stat(filepath.Join(root, name)); err != nil {
					t.Errorf("a file outside of the cache: %v", err)
				}
			}
			if c.state == None {
				for _, name := range []string{"store", "cache"} {
					if left, _ := filepath.Glob(same + "/" + name + "/*"); len(left) > 0 {
						t.Errorf("left: %q", left)
					}
				}
				return
			}
			// Everything that is left was sealed.
			err := filepath.WalkDir(same, func(p string, d os.DirEntry, err error) error {
				must(t, err)
				rel, _ := filepath.Rel(same, p)
				if !d.IsDir() && strings.HasPrefix(rel, "store") || strings.HasPrefix(rel, "cache") && !d.IsDir() {
					got, err := os.ReadFile(p)
					must(t, err)
					if want, ok := contents[rel]; !ok || want != string(got) {
						t.Errorf("%s is left but differs from the seal", rel)
					}
				}
				return nil
			})
			must(t, err)
			if got, err := Restored(root); err != nil || got == nil || got.State != c.state {
				t.Errorf("Restored returned %+v, %v, want state %q", got, err, c.state)
			}
		})
	}
}

func TestKeyedSealWithoutTheSecret(t *testing.T) {
	root := sealed(t, mac(goodSecret))
	write(t, root, map[string]string{".same/store/aa.json": "other"})
	v, lines, warnings := verify(t, root, VerifyOptions{})
	if v.State != Partial || len(lines) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "CACHEKEY_SEAL_KEY is not set") {
		t.Errorf("got %+v, %q, %q", v, lines, warnings)
	}
}

func TestNothingRestored(t *testing.T) {
	for _, files := range []map[string]string{nil, {".same/": ""}, {".same/daemon/daemon.pid": "1"}} {
		root := t.TempDir()
		write(t, root, files)
		if v, lines, _ := verify(t, root, VerifyOptions{}); v.Flawed() || v.State != None || len(lines) > 0 {
			t.Errorf("%v: got %+v, %q", files, v, lines)
		}
	}
}

// A restored .same/local is forged. The lock stays, and so do files that were moved
// aside.
func TestLocalIsCleared(t *testing.T) {
	root := sealed(t, nil)
	write(t, root, map[string]string{".same/local/stat": "lies", ".same/local/lock": "", ".same/local/gcroots/x/y": "", ".same/local/aside/2026/out/work": "mine"})
	verify(t, root, VerifyOptions{})
	if got, want := tree(t, root+"/.same/local"), []string{"aside/", "aside/2026/", "aside/2026/out/", "aside/2026/out/work", "lock", "restored.json"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	must(t, os.RemoveAll(root+"/.same/local"))
	must(t, os.Symlink("../src", root+"/.same/local"))
	write(t, root, map[string]string{"src/a": "mine"})
	verify(t, root, VerifyOptions{})
	if got, want := tree(t, root+"/src"), []string{"a"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Make warns about what it cannot seal, and Verify removes it.
func TestMakeLeavesOut(t *testing.T) {
	root := t.TempDir()
	same := filepath.Join(root, ".same")
	write(t, same, contents)
	write(t, same, map[string]string{"store/bad\nname": "", "store/quo\"te": "", "store/\xff": "", "cache/d\\ir/x": "x"})
	must(t, os.Symlink("/etc/passwd", same+"/store/link"))
	must(t, unix.Mkfifo(same+"/cache/pipe", 0o666))
	must(t, os.WriteFile(same+"/store/giant", nil, 0o666))
	must(t, os.Truncate(same+"/store/giant", MaxFileSize+1))
	must(t, os.WriteFile(same+"/store/setid", nil, 0o666))
	must(t, os.Chmod(same+"/store/setid", 0o666|os.ModeSetgid))
	var warnings []string
	var progress Sealed
	made, err := Make(context.Background(), MakeOptions{Root: root, Doc: here,
		Progress: func(files, bytes int64) { progress = Sealed{files, bytes} },
		Warnf:    func(f string, a ...any) { warnings = append(warnings, fmt.Sprintf(f, a...)) }})
	must(t, err)
	if made.Files != 5 || made != progress || len(warnings) != 8 {
		t.Errorf("got %+v, %q", made, warnings)
	}
	v, lines, _ := verify(t, root, VerifyOptions{Progress: func(files, bytes int64) { progress = Sealed{files, bytes} }})
	if v.State != Partial || v.Kept != 5 || v.Kept != progress.Files || v.KeptBytes != progress.Bytes || len(lines) != 8 {
		t.Errorf("got %+v, %q", v, lines)
	}
	if v, lines, _ := verify(t, root, VerifyOptions{}); v.State != Whole || len(lines) != 0 {
		t.Errorf("the second Verify: %+v, %q", v, lines)
	}
}

func TestEmpty(t *testing.T) {
	root := sealed(t, nil)
	v, err := Empty(root, "because", t.Errorf)
	if err != nil || v.State != None || v.Reason != "because" || v.Removed != 13 {
		t.Errorf("got %+v, %v", v, err)
	}
	if got, want := tree(t, root+"/.same"), []string{"local/", "local/lock", "local/restored.json"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// fill creates files in dir.
func fill(t *testing.T, dir string, files int) {
	t.Helper()
	for i := range files {
		first := i / 50_000 * 50_000 // a file has only so many links
		var err error
		if i == first {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o666)
		} else {
			err = os.Link(filepath.Join(dir, fmt.Sprint(first)), filepath.Join(dir, fmt.Sprint(i)))
		}
		must(t, err)
	}
}

// A directory beyond the bounds of package disk is neither sealed nor read, but
// moved away.
func TestDirectoriesBeyondTheBounds(t *testing.T) {
	root := sealed(t, nil)
	same := filepath.Join(root, ".same")
	fill(t, same+"/store/blobs/00", disk.MaxNames)
	must(t, os.MkdirAll(same+"/store/zz"+strings.Repeat("/x", 150), 0o777))
	v, lines, warnings := verify(t, root, VerifyOptions{})
	want := []string{`removed ".same/store/blobs/00": it can't be read: more than 100000 names in one directory`,
		`missing ".same/store/blobs/00/00ff"`, `removed ".same/store/zz": it is not in the seal`}
	if len(lines) != len(want) || v.State != Partial || v.Removed < 2 {
		t.Fatalf("got %+v, %q", v, lines)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("got  %q\nwant %q", lines[i], want[i])
		}
	}
	warning := `".same/store/blobs/00" can't be removed: more than 100000 names in one directory; it is now .same/local/refused-1 (and 1 more)`
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], warning) {
		t.Errorf("got  %q\nwant %q", warnings, warning)
	}
	for _, refused := range []string{"refused-1", "refused-2"} {
		if _, err := os.Lstat(filepath.Join(same, "local", refused)); err != nil {
			t.Error(err)
		}
	}

	// A second verify leaves them alone, and Make moves one that it meets.
	if v, lines, warnings := verify(t, root, VerifyOptions{}); len(lines) != 2 || v.Removed > 0 || len(warnings) > 0 {
		t.Errorf("the second time: %+v, %q, %q", v, lines, warnings)
	}
	must(t, os.Rename(same+"/local/refused-1", same+"/store/blobs/00"))
	warnings = nil
	_, err := Make(context.Background(), MakeOptions{Root: root, Doc: here, Warnf: func(f string, a ...any) { warnings = append(warnings, fmt.Sprintf(f, a...)) }})
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], strings.TrimSuffix(warning, " (and 1 more)")) {
		t.Errorf("Make: %v, %q", err, warnings)
	}
	if v, lines, warnings := verify(t, root, VerifyOptions{}); v.State != Whole || len(lines)+len(warnings) > 0 {
		t.Errorf("after Make: %+v, %q, %q", v, lines, warnings)
	}

	// .same/local itself is moved into a new one.
	must(t, os.Rename(same+"/local/refused-1", same+"/filled"))
	must(t, os.RemoveAll(same+"/local"))
	must(t, os.Rename(same+"/filled", same+"/local"))
	v, lines, warnings = verify(t, root, VerifyOptions{})
	if v.State != Whole || len(lines) > 0 || len(warnings) != 1 || !strings.HasPrefix(warnings[0], `".same/local" can't be removed`) {
		t.Errorf("local: %+v, %q, %q", v, lines, warnings)
	}
	entries, err := os.ReadDir(same + "/local")
	if err != nil || len(entries) != 2 || entries[0].Name() != "refused-1" || entries[1].Name() != "restored.json" {
		t.Errorf(".same/local has %v, %v", entries, err)
	}
}

func mac(s string) *MACKey {
	k, err := DeriveKey(s)
	if err != nil {
		panic(err)
	}
	return k
}

func edit(t *testing.T, same string, f func(string) string) {
	t.Helper()
	old, err := os.ReadFile(same + "/seal.json")
	must(t, err)
	must(t, os.WriteFile(same+"/seal.json", []byte(f(string(old))), 0o666))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Nobody else may write to what Verify keeps, or they could change it afterwards. A
// hard link to a file elsewhere is removed, and that file keeps its permissions.
func TestVerifyTakesPermissionsToWrite(t *testing.T) {
	root := sealed(t, nil)
	same := filepath.Join(root, ".same")
	other := filepath.Join(root, "other")
	must(t, os.WriteFile(other, []byte("mine"), 0o644))
	must(t, os.Chmod(other, 0o666))
	must(t, os.MkdirAll(same+"/local", 0o777))
	must(t, os.Link(other, same+"/store/link"))
	walk := func(visit func(path string, perm os.FileMode)) {
		must(t, filepath.WalkDir(same, func(p string, d os.DirEntry, err error) error {
			must(t, err)
			info, err := d.Info()
			must(t, err)
			visit(p, info.Mode().Perm())
			return nil
		}))
	}
	walk(func(p string, perm os.FileMode) { must(t, os.Chmod(p, perm|0o022)) })
	must(t, os.Chmod(other, 0o666))
	verify(t, root, VerifyOptions{})
	walk(func(p string, perm os.FileMode) {
		if perm&0o022 != 0 && p != same+"/local/lock" { // that says nothing that counts
			t.Errorf("%s has the permissions %o", p, perm)
		}
	})
	if info, err := os.Stat(other); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the file elsewhere: %v %v", info.Mode(), err)
	}
}
