package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cachekey/internal/dotsame"
)

// A checkout is a workspace with a sealed .same, for tests as another user.
type checkout struct {
	t       *testing.T
	dir     string
	program string
	user    uint32
}

const nobody = 65534

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can run programs as another user")
	}
	top := t.TempDir()
	for dir := top; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	c := &checkout{t: t, dir: filepath.Join(top, "ws"), program: filepath.Join(top, "bin", "cachekey")}
	own, err := os.Executable()
	must(t, err)
	data, err := os.ReadFile(own)
	must(t, err)
	for name, text := range map[string]string{
		"bin/cachekey":                     string(data),
		"ws/same.yaml":                     "version: \"1\"\ntasks: {}\n",
		"ws/flake.nix":                     "{ outputs = _: { }; }\n",
		"ws/flake.lock":                    `{ "nodes": { "root": { } }, "root": "root", "version": 7 }`,
		"ws/.same/store/blobs/aa/one.json": "{}",
	} {
		name = filepath.Join(top, name)
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, []byte(text), 0o755))
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "same.yaml", "flake.nix", "flake.lock"}} {
		if out, err := exec.Command("git", append([]string{"-C", c.dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	c.run(0, "seal")
	must(t, os.RemoveAll(c.path(dotsame.Local)))
	return c
}

func (c *checkout) path(rel string) string { return filepath.Join(c.dir, rel) }

// run runs cachekey, which must exit with code, and returns what it printed.
func (c *checkout) run(code int, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Dir, cmd.WaitDelay = c.dir, time.Second
	cmd.Env = append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "HOME=/nonexistent")
	if c.user != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.user, Gid: c.user}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		c.t.Errorf("cachekey %v as user %d: got exit code %d, want %d:\n%s", args, c.user, got, code, &out)
	}
	return out.String()
}

// expect checks that text has every part, and none that begins with "!".
func (c *checkout) expect(text string, parts ...string) {
	c.t.Helper()
	for _, p := range parts {
		not, absent := strings.CutPrefix(p, "!")
		if strings.Contains(text, not) == absent {
			c.t.Errorf("%q in:\n%s", p, text)
		}
	}
}

// TestSameOfAnotherUser restores a .same that belongs to another user, as where root
// unpacks the cache for a job of another user.
func TestSameOfAnotherUser(t *testing.T) {
	c := newCheckout(t)
	c.user = nobody
	c.expect(c.run(0, "verify"), "all files match the seal: 1 file", "the result is not saved")
	c.expect(c.run(0, "realise"), "0 environments ready", "!warning")
	for _, args := range [][]string{{"prune"}, {"seal"}} {
		c.expect(c.run(1, args...), "permission denied", "!link")
	}
	if _, err := os.Lstat(c.path(dotsame.Local)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf(".same/local: %v", err)
	}
}

// TestSameWithoutPermissions checks that verify repairs permissions from an archive if
// this user owns the files, and fails otherwise.
func TestSameWithoutPermissions(t *testing.T) {
	c := newCheckout(t)
	must(t, os.Chmod(c.path(dotsame.Name), 0))
	c.user = nobody
	for _, args := range [][]string{{"verify"}, {"prune"}, {"seal"}, {"realise"}} {
		c.expect(c.run(1, args...), "permission denied", "!link")
	}
	mine := func() {
		must(t, filepath.WalkDir(c.dir, func(p string, _ os.DirEntry, err error) error {
			must(t, err)
			return os.Lchown(p, nobody, nobody)
		}))
	}
	mine()
	c.expect(c.run(0, "verify"), "all files match the seal: 1 file")
	must(t, os.Chmod(c.path(dotsame.Name), 0))
	c.run(0, "seal")
	must(t, os.Chmod(c.path(dotsame.Name), 0))
	c.run(0, "prune")
	c.run(0, "seal")

	// at any depth
	for _, p := range []string{dotsame.Local, dotsame.Cache + "/a/b", dotsame.Store + "/blobs/aa/b", dotsame.Store + "/blobs"} {
		must(t, os.MkdirAll(c.path(p), 0o755))
	}
	mine()
	for _, p := range []string{dotsame.Cache + "/a/b", dotsame.Cache + "/a", dotsame.Cache, dotsame.Store + "/blobs/aa/b", dotsame.Store + "/blobs", dotsame.Local, dotsame.Name} {
		must(t, os.Chmod(c.path(p), 0))
	}
	c.expect(c.run(0, "verify"), `removed ".same/cache": it is not in the seal`, `".same/store/blobs"`)
	left, err := filepath.Glob(c.path(dotsame.Store) + "/*")
	if err != nil || len(left) != 0 {
		t.Errorf("left: %q %v", left, err)
	}
}

// TestFileThatCannotBeRemoved checks that verify fails if it cannot remove a file,
// which must not be used.
func TestFileThatCannotBeRemoved(t *testing.T) {
	c := newCheckout(t)
	added := c.path(dotsame.Store + "/added")
	must(t, os.WriteFile(added, nil, 0o644))
	if out, err := exec.Command("chattr", "+i", added).CombinedOutput(); err != nil {
		t.Skipf("chattr +i: %v: %s", err, out)
	}
	defer func() { _ = exec.Command("chattr", "-i", added).Run() }()
	c.expect(c.run(1, "verify"), "can't be removed", "operation not permitted")
}

// TestWhileSameRuns checks that verify, prune, seal and realise do nothing while same
// runs, and name its process.
func TestWhileSameRuns(t *testing.T) {
	c := newCheckout(t)
	must(t, os.MkdirAll(c.path(dotsame.Environments), 0o755))
	must(t, os.WriteFile(c.path(dotsame.Environments+"/x.json"), []byte("[]"), 0o644))
	lock, err := dotsame.Open(c.dir).TryLock()
	must(t, err)
	defer lock.Unlock()
	for _, args := range [][]string{{"verify"}, {"prune"}, {"seal"}, {"realise"}} {
		c.expect(c.run(1, args...), "same is running in", "(process ", "hint: wait until it has ended", "!nothing was restored")
	}
	for _, p := range []string{dotsame.Environments + "/x.json", dotsame.Store + "/blobs/aa/one.json", dotsame.Seal} {
		if _, err := os.Lstat(c.path(p)); err != nil {
			t.Error(err)
		}
	}
}

// TestLinksInPlaceOfDirectories checks that no command writes through a link in place
// of .same or of a directory in it. verify and prune remove links in .same, and verify
// removes a link at .same itself.
func TestLinksInPlaceOfDirectories(t *testing.T) {
	c := newCheckout(t)
	outside := c.path("outside")
	for _, p := range []string{"store/blobs/ab/x", "cache/environments/y.json", "local/tmp/z", "local/gcroots/a/root"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(outside, p)), 0o755))
		must(t, os.WriteFile(filepath.Join(outside, p), []byte("[]"), 0o644))
	}
	list := func() string {
		out, err := exec.Command("sh", "-c", `cd "$1" && find . -exec stat -c '%n %a %Y %s' {} + | LC_ALL=C sort`, "sh", outside).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	before := list()
	for _, p := range []string{dotsame.Name, dotsame.Store, dotsame.Blobs, dotsame.Blobs + "/ab", dotsame.Cache, dotsame.Environments, dotsame.Local, dotsame.Temp, dotsame.GCRoots} {
		for _, args := range [][]string{{"seal"}, {"realise"}, {"prune"}, {"verify"}} {
			must(t, os.RemoveAll(c.path(dotsame.Name)))
			must(t, os.MkdirAll(filepath.Dir(c.path(p)), 0o755))
			to, err := filepath.Rel(filepath.Dir(c.path(p)), outside)
			must(t, err)
			if p != dotsame.Name {
				to = filepath.Join(to, dotsame.Rel(p))
			}
			must(t, os.Symlink(to, c.path(p)))
			code := 2
			if args[0] == "verify" || args[0] == "prune" && p != dotsame.Name {
				code = 0
			}
			printed := c.run(code, args...)
			if code == 2 {
				c.expect(printed, p+" is a symbolic link", "hint: remove it: rm "+p)
			}
			if after := list(); after != before {
				t.Fatalf("cachekey %v wrote through %s: got\n%swant\n%s", args, p, after, before)
			}
		}
	}
}

// TestMountedDirectories checks that a sealed directory on which a file system is
// mounted is emptied instead of removed.
func TestMountedDirectories(t *testing.T) {
	c := newCheckout(t)
	for _, p := range []string{dotsame.Store, dotsame.Cache, dotsame.Local, dotsame.Daemon} {
		must(t, os.MkdirAll(c.path(p), 0o755))
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "none", c.path(p)).CombinedOutput(); err != nil {
			t.Skipf("mount: %v: %s", err, out)
		}
		defer func() { _ = exec.Command("umount", c.path(p)).Run() }()
		must(t, os.MkdirAll(c.path(p)+"/a/b", 0o755))
		must(t, os.WriteFile(c.path(p)+"/a/b/c", []byte("x"), 0o644))
	}
	left := func() string {
		out, err := exec.Command("find", c.path(dotsame.Store), c.path(dotsame.Cache), c.path(dotsame.Daemon), "-name", "c").Output()
		must(t, err)
		return string(out)
	}
	c.run(0, "seal")
	c.expect(c.run(0, "verify", "--strict"), "all files match the seal: 2 files")
	must(t, os.Remove(c.path(dotsame.Seal)))
	c.expect(c.run(0, "verify"), "the restored cache was dropped", "there is no seal")
	if text := left(); text != c.path(dotsame.Daemon)+"/a/b/c\n" {
		t.Errorf("verify left %q", text)
	}
	must(t, os.MkdirAll(c.path(dotsame.Store)+"/a/b", 0o755))
	must(t, os.WriteFile(c.path(dotsame.Store)+"/a/b/c", []byte("x"), 0o644))
	c.run(0, "prune")
	if text := left(); text != "" {
		t.Errorf("prune left %q", text)
	}
}

// TestVerifyOfWhatCannotBeCleared checks that verify reports neither a hit nor success
// if it cannot remove something.
func TestVerifyOfWhatCannotBeCleared(t *testing.T) {
	c := newCheckout(t)
	must(t, os.MkdirAll(c.path(dotsame.Temp), 0o755))
	for _, args := range [][]string{{"--bind", c.path(dotsame.Name), c.path(dotsame.Name)}, {"-o", "remount,ro,bind", c.path(dotsame.Name)}} {
		if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			t.Skipf("mount: %v: %s", err, out)
		}
		defer func() { _ = exec.Command("umount", c.path(dotsame.Name)).Run() }()
	}
	c.expect(c.run(1, "verify", "--json"), "read-only file system", `"state": "none"`, "!all files match the seal", "!nothing was restored")
}

// TestSealReplacesADirectory checks that a directory in place of the seal is replaced.
func TestSealReplacesADirectory(t *testing.T) {
	c := newCheckout(t)
	must(t, os.Remove(c.path(dotsame.Seal)))
	must(t, os.MkdirAll(c.path(dotsame.Seal)+"/a", 0o755))
	c.run(0, "seal")
	c.expect(c.run(0, "verify"), "all files match the seal: 1 file")
}
