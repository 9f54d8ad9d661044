package main

import (
	"bytes"
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
				give(t, dir)
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
					printed := run("plan", "t")
					printed += run(args...)
					printed += run("run", "t")
					if got := read(t, filepath.Join(out, "d/file")); got != "1\n" {
						t.Errorf("%v: got %q\n%s", args, got, printed)
					}
					if !stored && strings.Count(printed, "Completed in") == 0 {
						t.Errorf("%v: it was skipped beside what can't be moved:\n%s", args, printed)
					}
					if stored {
						if st, err := os.Stat(filepath.Join(out, "d")); err != nil || st.Mode().Perm() != 0o755 {
							t.Errorf("%v: out/d is %v %v", args, st, err)
						}
						if printed := run("run", "t"); !strings.Contains(printed, "0 ran, 1 cached") {
							t.Errorf("%v: it is not skipped:\n%s", args, printed)
						}
					}
					_ = exec.Command("rm", "-rf", out+"/x").Run()
				}
			})
		}
	}
}

// TestAnythingAboveTarget checks that a task runs whatever the directories above its
// target are, and that its result is right or not stored. No run blocks.
func TestAnythingAboveTarget(t *testing.T) {
	const manifest = `version: "1"
tasks:
  t: {input: [src], target: [out/a/b], cmd: [sh, -c, 'echo ran >>ran; chmod u+rwx out out/a 2>/dev/null; mkdir -p out/a && cat src >out/a/b']}
`
	root := func(names ...string) func(dir string) error {
		return func(dir string) (err error) {
			for _, name := range names {
				err = errors.Join(err, os.Chown(filepath.Join(dir, name), 0, 0))
			}
			return err
		}
	}
	closed := func(names ...string) func(dir string) error {
		return func(dir string) error { return errors.Join(root(names...)(dir), chmods(dir, 0o700, names...)) }
	}
	elsewhere := func(name string) func(dir string) error {
		return func(dir string) error {
			to := filepath.Join(dir, "elsewhere")
			return errors.Join(os.RemoveAll(to), os.Rename(filepath.Join(dir, name), to), os.Symlink(to, filepath.Join(dir, name)))
		}
	}
	instead := func(name string, put func(at string) error) func(dir string) error {
		return func(dir string) error {
			at := filepath.Join(dir, name)
			return replace(at, func() error { return put(at) })
		}
	}
	file := func(at string) error { return os.WriteFile(at, nil, 0o644) }
	pipe := func(at string) error { return syscall.Mkfifo(at, 0o600) }
	var running *testing.T
	mounted := func(name string) func(dir string) error {
		return func(dir string) error {
			if !mount(running, filepath.Join(dir, name), "size=1m") {
				return errors.ErrUnsupported
			}
			return os.Chown(filepath.Join(dir, name), 65534, 65534)
		}
	}
	for name, c := range map[string]struct {
		put    func(dir string) error
		failed string // a part of the error, if the command itself cannot succeed
	}{
		"no permissions":            {func(dir string) error { return chmods(dir, 0, "out") }, ""},
		"no permissions, below":     {func(dir string) error { return chmods(dir, 0, "out/a") }, ""},
		"no permissions, both":      {func(dir string) error { return chmods(dir, 0, "out/a", "out") }, ""},
		"only list":                 {func(dir string) error { return chmods(dir, 0o444, "out") }, ""},
		"only list, below":          {func(dir string) error { return chmods(dir, 0o444, "out/a") }, ""},
		"only search":               {func(dir string) error { return chmods(dir, 0o111, "out/a", "out") }, ""},
		"read-only":                 {func(dir string) error { return chmods(dir, 0o555, "out/a", "out") }, ""},
		"foreign":                   {root("out"), ""},
		"foreign, below":            {root("out/a"), ""},
		"foreign, both":             {root("out", "out/a", "out/a/b"), "exit status"},
		"foreign and closed":        {closed("out"), "exit status"},
		"foreign and closed, below": {closed("out/a"), "exit status"},
		"foreign, nothing below": {func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "out/a")), root("out")(dir))
		}, "exit status"},
		"a link":         {elsewhere("out"), "the symbolic link out on its path is not followed"},
		"a link, below":  {elsewhere("out/a"), "the symbolic link out/a on its path is not followed"},
		"a file":         {instead("out", file), "exit status"},
		"a file, below":  {instead("out/a", file), "exit status"},
		"a pipe":         {instead("out", pipe), "exit status"},
		"a pipe, below":  {instead("out/a", pipe), "exit status"},
		"a mount":        {mounted("out"), ""},
		"a mount, below": {mounted("out/a"), ""},
	} {
		for _, user := range []int{0, 65534} {
			if os.Geteuid() != 0 && (user == 0 || strings.HasPrefix(name, "foreign")) {
				continue
			}
			t.Run(name+map[int]string{0: " as root", 65534: " as nobody"}[user], func(t *testing.T) {
				running = t
				dir := t.TempDir()
				write(t, filepath.Join(dir, "same.yaml"), manifest)
				write(t, filepath.Join(dir, "src"), "1\n")
				give(t, dir)
				t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+rwx", dir).Run() })
				runAs(t, user, dir, "run", "t")
				for _, args := range [][]string{{"run", "t"}, {"run", "-n", "t"}, {"clean"}, {"clean", "--all"}} {
					before := strings.Count(read(t, filepath.Join(dir, "ran")), "ran")
					if err := c.put(dir); errors.Is(err, errors.ErrUnsupported) {
						t.Skip("nothing can be mounted here")
					} else if err != nil {
						t.Fatal(err)
					}
					runAs(t, user, dir, "plan", "t")
					cmd, said := sameAs(t, user, dir, args...)
					err := cmd.Run()
					if args[0] == "clean" {
						if err != nil {
							t.Errorf("%v: %v\n%s", args, err, said)
						}
						cmd, said = sameAs(t, user, dir, "run", "t")
						err = cmd.Run()
					}
					failed := c.failed
					if user == 0 && !strings.HasPrefix(failed, "the symbolic") && !strings.Contains(name, "file") && !strings.Contains(name, "pipe") {
						failed = "" // root may do anything
					}
					ran := strings.Count(read(t, filepath.Join(dir, "ran")), "ran") - before
					switch {
					case err != nil && (failed == "" || !strings.Contains(said.String(), failed)):
						t.Errorf("%v: %v, want %q\n%s", args, err, failed, said)
					case len(args) == 2 && args[0] == "run" && ran == 0 && err == nil: // it was skipped: it is as it was
					case ran != 1:
						t.Errorf("%v: the task ran %d times\n%s", args, ran, said)
					case err == nil && failed != "":
						t.Errorf("%v: it succeeded\n%s", args, said)
					}
					if failed == "" && read(t, filepath.Join(dir, "out/a/b")) != "1\n" {
						t.Errorf("%v: the output is wrong\n%s", args, said)
					}
					if failed != "" { // the user mends it
						for _, p := range []string{"out", "out/a"} {
							if st, err := os.Lstat(filepath.Join(dir, p)); err == nil && !st.IsDir() {
								_ = os.Remove(filepath.Join(dir, p))
							}
						}
					}
					_ = chmods(dir, 0o755, "out", "out/a")
					give(t, dir)
					runAs(t, user, dir, "run", "t")
					if said := runAs(t, user, dir, "run", "t"); !strings.Contains(said, "0 ran, 1 cached") || read(t, filepath.Join(dir, "out/a/b")) != "1\n" {
						t.Errorf("%v: it is not skipped\n%s", args, said)
					}
				}
			})
		}
	}
}

// give makes dir, and everything in it, that of the user nobody, if this process may.
func give(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	for _, p := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "-hR", "65534:65534", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// runAs runs same as a user, if this process may.
func runAs(t *testing.T, user int, dir string, args ...string) string {
	t.Helper()
	cmd, out := sameAs(t, user, dir, args...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("same %v as user %d: %v\n%s", args, user, err, out)
	}
	return out.String()
}

// sameAs returns a command that runs same as a user, if this process may.
func sameAs(t *testing.T, user int, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd, out := same(dir, args...)
	if user != os.Geteuid() && os.Geteuid() == 0 {
		own := filepath.Join("/proc", "self", "fd", "3")
		f, err := os.Open(ownPath()) // its directory may be closed to that user
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		cmd.Path, cmd.ExtraFiles = own, []*os.File{f}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	}
	return cmd, out
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
