package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestTargetOnAnotherFileSystem checks that files are moved aside from a target on
// another file system than .same, and that outputs are restored there.
func TestTargetOnAnotherFileSystem(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	mount(t, out, "size=1m")
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  t: {target: [out], cmd: [sh, -c, 'mkdir -p out/d; echo made >out/d/made; chmod 755 out/d/made; ln -s d/made out/link']}
`)
	write(t, filepath.Join(out, "d", "mine"), "mine\n")
	if err := os.Symlink("mine", filepath.Join(out, "d", "to-mine")); err != nil {
		t.Fatal(err)
	}
	list := func() string {
		text, err := exec.Command("sh", "-c", `cd "$1" && find out | LC_ALL=C sort | xargs`, "sh", dir).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return string(text)
	}
	const want = "out out/d out/d/made out/link\n"
	printed := run(t, dir, "run", "all")
	if got := list(); got != want || !strings.Contains(printed, "not outputs of a stored result") {
		t.Errorf("got files %s, want %s\n%s", got, want, printed)
	}
	aside, err := filepath.Glob(filepath.Join(dir, ".same/local/aside/*/out/d/*"))
	if err != nil || len(aside) != 2 || read(t, aside[0]) != "mine\n" {
		t.Fatalf("moved aside: got %q %v", aside, err)
	}
	if to, err := os.Readlink(aside[1]); to != "mine" {
		t.Errorf("the link that was moved aside points to %q: %v", to, err)
	}
	for _, name := range []string{"d", "link"} {
		if err := os.RemoveAll(filepath.Join(out, name)); err != nil {
			t.Fatal(err)
		}
	}
	printed = run(t, dir, "run", "all")
	st, err := os.Stat(filepath.Join(out, "link"))
	if err != nil || st.Mode().Perm() != 0o755 || read(t, filepath.Join(out, "link")) != "made\n" || list() != want || !strings.Contains(printed, "1 cached") {
		t.Errorf("got files %s, %v\n%s", list(), err, printed)
	}
}

// TestMissingTargetOnAnotherFileSystem restores directories that can't be made elsewhere
// and moved, beside one that can.
func TestMissingTargetOnAnotherFileSystem(t *testing.T) {
	dir := t.TempDir()
	mount(t, filepath.Join(dir, "disk"), "size=1m")
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", dir).Run() }) // before it is removed
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  t: {input: [], target: [disk/a, here, disk/b], cmd: [sh, -c, 'for d in disk/a here disk/b; do mkdir -p $d/sub; echo $d >$d/sub/f; ln -s sub/f $d/l; chmod 500 $d/sub; done']}
`)
	list := func() string {
		text, err := exec.Command("sh", "-c", `cd "$1" && find disk/a disk/b here -printf '%p %m %l\n' | LC_ALL=C sort && cat disk/a/l here/l disk/b/l`, "sh", dir).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return string(text)
	}
	run(t, dir, "run", "all")
	want := list()
	for range 2 {
		if text, err := exec.Command("sh", "-c", `cd "$1" && chmod -R u+w disk here && rm -r disk/a disk/b here`, "sh", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if printed := run(t, dir, "run", "all"); !strings.Contains(printed, "0 ran, 1 cached") || strings.Contains(printed, "warning") || list() != want {
			t.Errorf("got\n%s\nwant\n%s\n%s", list(), want, printed)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(dir, ".same/local/tmp")); len(left) > 0 {
		t.Errorf("left in .same/local/tmp: %v", left)
	}
}

// TestTargetThatCannotBeEmptied checks that the result is not stored if a file can't be
// moved out of a target.
func TestTargetThatCannotBeEmptied(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  t: {target: [out/x], cmd: ["true"]}
`)
	stale := t.TempDir()
	write(t, filepath.Join(stale, "x"), "stale\n")
	readOnlyCopy(t, stale, filepath.Join(dir, "out"))
	for range 2 {
		printed := run(t, dir, "run", "all")
		if !strings.Contains(printed, `task "t" will run again next time: can't move out/x out of the way`) || !strings.Contains(printed, "1 ran, 0 cached") {
			t.Errorf("%s", printed)
		}
	}
}

// TestUnwritableStore checks that tasks run, with a single warning, if no result can be
// stored.
func TestUnwritableStore(t *testing.T) {
	cases := map[string]func(t *testing.T, same string){
		".same is a file": func(t *testing.T, same string) { write(t, same, "") },
		"full disk":       full,
		"read-only":       readOnly,
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			chain(t, dir, 2)
			prepare(t, filepath.Join(dir, ".same"))
			for range 2 {
				out := run(t, dir, "run", "all")
				if strings.Count(out, "warning: results can't be stored for the next run") != 1 {
					t.Errorf("%s", out)
				}
				if !strings.Contains(out, "2 ran, 0 cached") {
					t.Errorf("%s", out)
				}
				if got, want := outputs(t, dir), fromNothing(t, dir); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				run(t, dir, "plan", "all")
			}
		})
	}
}

// TestReadOnlyStore checks that tasks are skipped with a read-only .same from elsewhere.
func TestReadOnlyStore(t *testing.T) {
	dir := t.TempDir()
	chain(t, dir, 2)
	run(t, dir, "run", "all")
	want := outputs(t, dir)
	store := filepath.Join(dir, ".same")
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.Rename(store, kept); err != nil {
		t.Fatal(err)
	}
	readOnlyCopy(t, kept, store)
	out := run(t, dir, "run", "all")
	if !strings.Contains(out, "0 ran, 2 cached") || outputs(t, dir) != want {
		t.Errorf("%s", out)
	}
}

// full makes .same a full file system, or a directory that can't be written where
// none can be mounted.
func full(t *testing.T, same string) {
	if mount(t, same, "size=16k") {
		_ = os.WriteFile(filepath.Join(same, "ballast"), make([]byte, 64<<10), 0o644)
		return
	}
	write(t, filepath.Join(same, "store"), "")
}

func readOnly(t *testing.T, same string) {
	empty := t.TempDir()
	readOnlyCopy(t, empty, same)
}

func readOnlyCopy(t *testing.T, from, same string) {
	mounted := mount(t, same, "size=16m")
	if err := os.MkdirAll(same, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-R", from+"/.", same).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if mounted {
		if err := exec.Command("mount", "-o", "remount,ro", same).Run(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := exec.Command("chmod", "-R", "a-w", same).Run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", same).Run() })
	if os.WriteFile(filepath.Join(same, "probe"), nil, 0o644) == nil {
		t.Skip("this process can write everywhere, and cannot mount")
	}
}

// mount mounts a small file system, if this process may.
func mount(t *testing.T, dir, options string) bool {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return false
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("mount", "-t", "tmpfs", "-o", options, "none", dir).Run(); err != nil {
		return false
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	return true
}

// TestFailureFillsDisk checks that the files that a failed task left at its targets are
// removed if the disk is full: the next run would only move them aside, on the same disk.
func TestFailureFillsDisk(t *testing.T) {
	dir := t.TempDir()
	if !mount(t, dir, "size=2m") {
		t.Skip("no file system can be mounted")
	}
	write(t, filepath.Join(dir, "same.yaml"), `version: "1"
tasks:
  t: {input: [], target: [out], cmd: [sh, -c, 'mkdir out; test -e small && exec touch out/x; cat /dev/zero >out/big']}
`)
	for range 2 {
		cmd, printed := same(dir, "run", "t")
		if err := cmd.Run(); err == nil || !strings.Contains(printed.String(), "the disk is full") {
			t.Errorf("%v\n%s", err, printed)
		}
		if _, err := os.Lstat(filepath.Join(dir, "out/big")); err == nil {
			t.Error("the output of the failed command fills the disk")
		}
	}
	write(t, filepath.Join(dir, "small"), "")
	if printed := run(t, dir, "run", "t"); strings.Contains(printed, "aside") {
		t.Errorf("%s", printed)
	}
}
