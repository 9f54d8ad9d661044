package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSameOnAnotherFileSystem checks that results are stored and restored, and that clean
// empties .same, if it or a directory in it is a mounted file system, as in a container.
func TestSameOnAnotherFileSystem(t *testing.T) {
	for _, places := range [][]string{{".same"}, {".same/store"}, {".same/local"}, {".same/local/tmp"}, {".same/store", ".same/cache", ".same/local"}, {".same/store/blobs"}} {
		t.Run(strings.Join(places, " "), func(t *testing.T) {
			dir := t.TempDir()
			chain(t, dir, 2)
			for _, p := range places {
				if !mount(t, filepath.Join(dir, p), "size=4m") {
					t.Skip("nothing can be mounted here")
				}
			}
			want := fromNothing(t, dir)
			expect := func(part string) {
				t.Helper()
				out := run(t, dir, "run", "all")
				if !strings.Contains(out, part) || strings.Contains(out, "warning") || outputs(t, dir) != want {
					t.Errorf("not %q:\n%s", part, out)
				}
			}
			expect("2 ran, 0 cached")
			expect("0 ran, 2 cached")
			if err := os.RemoveAll(filepath.Join(dir, "out")); err != nil {
				t.Fatal(err)
			}
			expect("0 ran, 2 cached")
			run(t, dir, "clean")
			expect("2 ran, 0 cached")
			run(t, dir, "clean", "--all")
			expect("2 ran, 0 cached")
			left, err := exec.Command("find", filepath.Join(dir, ".same"), "-name", "*.tmp").Output()
			if err != nil || len(left) > 0 {
				t.Errorf("temporary files are left: %s %v", left, err)
			}
		})
	}
}

// TestDirectoriesOfSame checks that only their owner can write to directories in .same,
// whatever the umask.
func TestDirectoriesOfSame(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	chain(t, dir, 1)
	run(t, dir, "run", "all")
	run(t, dir, "clean")
	run(t, dir, "run", "all")
	loose, err := exec.Command("find", filepath.Join(dir, ".same"), "-perm", "/022").Output()
	if err != nil || len(loose) > 0 {
		t.Errorf("others can write to: %s %v", loose, err)
	}
}

// TestPrivateOutputs checks that users who may not read an output may not read its blob.
func TestPrivateOutputs(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  t: {target: [out], cmd: [sh, -c, 'mkdir -p out/d; echo a >out/open; echo b >out/key; echo c >out/d/file; chmod 600 out/key; chmod 700 out/d']}
`)
	readable := func() string {
		out, err := exec.Command("sh", "-c", `cd "$1" && find .same/store/blobs -type f -perm /044 -exec cat {} + | sort | xargs`, "sh", dir).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	run(t, dir, "run", "all")
	if got := readable(); got != "a\n" {
		t.Errorf("others can read %q", got)
	}
	if out, err := exec.Command("sh", "-c", `chmod 444 "$1"/.same/store/blobs/*/*`, "sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out := run(t, dir, "run", "all"); !strings.Contains(out, "1 cached") || readable() != "a\n" {
		t.Errorf("others can read %q of an older store\n%s", readable(), out)
	}
	for _, p := range []string{"out/key", "out/d/file"} {
		if err := os.Remove(filepath.Join(dir, p)); err != nil {
			t.Fatal(err)
		}
	}
	if out := run(t, dir, "run", "all"); !strings.Contains(out, "1 cached") || read(t, filepath.Join(dir, "out/key")) != "b\n" {
		t.Errorf("%s", out)
	}
}

// TestStartOnNoexec checks that the error names the mount option: the program has its
// x bit, and the interpreter exists.
func TestStartOnNoexec(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  script: {input: [], cmd: [m/script]}
`)
	if !mount(t, filepath.Join(dir, "m"), "size=1m,noexec") {
		t.Skip("nothing can be mounted here")
	}
	script := filepath.Join(dir, "m", "script")
	write(t, script, "#!/bin/sh\necho\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd, out := same(dir, "run", "all")
	if err := cmd.Run(); err == nil || !strings.Contains(out.String(), `m/script" is on a file system that is mounted noexec`) {
		t.Errorf("got %v\n%s", err, out)
	}
}
