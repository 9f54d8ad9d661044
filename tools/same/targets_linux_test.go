package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAnythingAtTarget checks that a task runs and is skipped whatever is at its targets,
// as root and as a user who may not read it. If something can't be moved away, the result
// is not stored.
func TestAnythingAtTarget(t *testing.T) {
	const manifest = `version: "1"
tasks:
  t: {input: [src], target: [out], cmd: [sh, -c, 'mkdir -p out/d; cat src >out/d/file; echo ran >>ran']}
`
	socket := func(at string) error {
		l, err := net.Listen("unix", at)
		if err == nil {
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			err = l.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		put    func(out string) error
		stored bool // the task can be skipped next time
	}{
		"a socket":  {func(out string) error { return socket(filepath.Join(out, "d/s")) }, true},
		"a pipe":    {func(out string) error { return syscall.Mkfifo(filepath.Join(out, "d/p"), 0o600) }, true},
		"a device":  {func(out string) error { return syscall.Mknod(filepath.Join(out, "d/n"), syscall.S_IFCHR|0o600, 1<<8|3) }, true},
		"no file":   {func(out string) error { return os.Chmod(filepath.Join(out, "d/file"), 0) }, true},
		"no dir":    {func(out string) error { return os.Chmod(filepath.Join(out, "d"), 0) }, true},
		"no dirs":   {func(out string) error { return chmods(out, 0, "d/e/f", "d/e", "d", ".") }, true},
		"only list": {func(out string) error { return os.Chmod(filepath.Join(out, "d"), 0o444) }, true},
		"instead":   {func(out string) error { return replace(out, func() error { return syscall.Mkfifo(out, 0o600) }) }, true},
		"instead, a directory": {func(out string) error {
			return replace(filepath.Join(out, "d"), func() error { return socket(filepath.Join(out, "d")) })
		}, true},
		"foreign file": {func(out string) error { return os.Chown(filepath.Join(out, "d/file"), 0, 0) }, true},
		"foreign unreadable file": {func(out string) error {
			f := filepath.Join(out, "d/secret")
			return errors.Join(os.WriteFile(f, []byte("x"), 0o600), os.Chown(f, 0, 0))
		}, true},
		"foreign unreadable directory": {func(out string) error {
			d := filepath.Join(out, "x")
			return errors.Join(os.Mkdir(d, 0o700), os.WriteFile(d+"/f", nil, 0o600), os.Chown(d, 0, 0))
		}, false},
	} {
		for _, user := range []int{0, 65534} {
			if os.Geteuid() != 0 && user == 0 {
				continue
			}
			t.Run(name+map[int]string{0: " as root", 65534: " as nobody"}[user], func(t *testing.T) {
				if os.Geteuid() != 0 && (name == "a device" || strings.HasPrefix(name, "foreign")) {
					t.Skip("needs root")
				}
				dir := t.TempDir()
				write(t, filepath.Join(dir, "same.yaml"), manifest)
				write(t, filepath.Join(dir, "src"), "1\n")
				run := func(args ...string) string {
					t.Helper()
					return runAs(t, user, dir, args...)
				}
				if os.Geteuid() == 0 {
					for _, p := range []string{dir, filepath.Dir(dir)} {
						if err := os.Chmod(p, 0o755); err != nil {
							t.Fatal(err)
						}
					}
					if out, err := exec.Command("chown", "-R", "65534:65534", dir).CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
				}
				out := filepath.Join(dir, "out")
				t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+rwx", dir).Run() })
				stored := c.stored || user == 0
				for i, args := range [][]string{{"run", "t"}, {"run", "t"}, {"run", "-n", "t"}, {"clean"}, {"clean", "--all"}} {
					run("run", "t")
					_ = os.MkdirAll(filepath.Join(out, "d/e/f"), 0o755)
					_ = exec.Command("chown", "-R", "65534:65534", filepath.Join(out, "d/e")).Run()
					if i == 1 {
						if err := os.RemoveAll(filepath.Join(dir, ".same/local")); err != nil {
							t.Fatal(err)
						}
					}
					if err := c.put(out); err != nil {
						t.Fatal(err)
					}
					said := run("plan", "t")
					said += run(args...)
					said += run("run", "t")
					if got := read(t, filepath.Join(out, "d/file")); got != "1\n" {
						t.Errorf("%v: got %q\n%s", args, got, said)
					}
					if !stored && strings.Count(said, "Completed in") == 0 {
						t.Errorf("%v: it was skipped beside what can't be moved:\n%s", args, said)
					}
					if stored {
						if st, err := os.Stat(filepath.Join(out, "d")); err != nil || st.Mode().Perm() != 0o755 {
							t.Errorf("%v: out/d is %v %v", args, st, err)
						}
						if said := run("run", "t"); !strings.Contains(said, "0 ran, 1 cached") {
							t.Errorf("%v: it is not skipped:\n%s", args, said)
						}
					}
					_ = exec.Command("rm", "-rf", out+"/x").Run()
				}
			})
		}
	}
}

// runAs runs same as a user, if this process may.
func runAs(t *testing.T, user int, dir string, args ...string) string {
	t.Helper()
	cmd, out := same(dir, args...)
	if user != os.Geteuid() && os.Geteuid() == 0 {
		own := filepath.Join("/proc", "self", "fd", "3")
		f, err := os.Open(ownPath()) // its directory may be closed to that user
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.Path, cmd.ExtraFiles = own, []*os.File{f}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("same %v as user %d: %v\n%s", args, user, err, out)
	}
	return out.String()
}

func chmods(dir string, mode os.FileMode, names ...string) error {
	for _, name := range names {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			return err
		}
	}
	return nil
}

func replace(at string, put func() error) error {
	if err := os.RemoveAll(at); err != nil {
		return err
	}
	return put()
}
