package dotsame

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLockReplacesForeignFiles checks that anything in place of the lock file is
// replaced, and that nothing is written through it.
func TestLockReplacesForeignFiles(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, lock, precious string) error{
		"hard link":        func(_ *testing.T, lock, precious string) error { return os.Link(precious, lock) },
		"symbolic link":    func(_ *testing.T, lock, precious string) error { return os.Symlink(precious, lock) },
		"pipe":             func(_ *testing.T, lock, _ string) error { return syscall.Mkfifo(lock, 0o666) },
		"empty directory":  func(_ *testing.T, lock, _ string) error { return os.Mkdir(lock, 0o777) },
		"nothing":          func(*testing.T, string, string) error { return nil },
		"an old lock file": func(_ *testing.T, lock, _ string) error { return os.WriteFile(lock, []byte("1234567\n"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			d := Open(t.TempDir())
			precious := filepath.Join(d.root, "precious")
			if err := os.WriteFile(precious, []byte("mine"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(d.Path(Local), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := plant(t, d.Path(RunLock), precious); err != nil {
				t.Fatal(err)
			}
			lock, err := d.TryLock()
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Unlock()
			if got, err := os.ReadFile(precious); string(got) != "mine" {
				t.Errorf("the other file has %q: %v", got, err)
			}
			if st, err := os.Lstat(d.Path(RunLock)); err != nil || !st.Mode().IsRegular() {
				t.Errorf("the lock is not a file: %v, %v", st, err)
			}
			var locked *LockedError
			if _, err := Open(d.root).TryLock(); !errors.As(err, &locked) || locked.Holder != os.Getpid() {
				t.Errorf("a second lock: %v", err)
			} else if want := "(process "; !strings.Contains(err.Error(), want) {
				t.Errorf("the error %q does not name the process", err)
			}
		})
	}
}

// TestLockOfHardLinkHasOneHolder checks that only one of many processes gets the
// lock, even while a hard link is replaced.
func TestLockOfHardLinkHasOneHolder(t *testing.T) {
	if dir := os.Getenv("LOCK_HARD_LINK"); dir != "" {
		if lock, err := Open(dir).TryLock(); err == nil {
			defer lock.Unlock()
			f, err := os.OpenFile(filepath.Join(dir, "alone"), os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				t.Fatalf("two processes hold the lock: %v", err)
			}
			f.Close()
			os.Remove(f.Name())
		}
		return
	}
	d := Open(t.TempDir())
	if err := os.MkdirAll(d.Path(Local), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		os.Remove(d.Path(RunLock))
		os.Remove(d.Path("precious"))
		if err := os.WriteFile(d.Path("precious"), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(d.Path("precious"), d.Path(RunLock)); err != nil {
			t.Fatal(err)
		}
		var all []*exec.Cmd
		for range 8 {
			cmd := exec.Command(os.Args[0], "-test.run=^TestLockOfHardLinkHasOneHolder$")
			cmd.Env = append(os.Environ(), "LOCK_HARD_LINK="+d.root)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			all = append(all, cmd)
		}
		for _, cmd := range all {
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		}
		if got, _ := os.ReadFile(d.Path("precious")); string(got) != "mine" {
			t.Errorf("the other file has %q", got)
		}
	}
}
