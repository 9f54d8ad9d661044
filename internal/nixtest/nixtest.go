// Package nixtest runs a test with a real Nix that has its own store at /nix. The
// test binary starts itself there (see checks/offline/with-nix.sh).
package nixtest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bashVariable is set for the inner test binary. It names the directory whose bin
// has a static bash, since the new store is empty.
const bashVariable = "CACHEKEY_TEST_BASH"

// Inside reports whether this is the inner test binary that Run starts.
func Inside() bool { return os.Getenv(bashVariable) != "" }

// Run runs the test called name of this test binary with each of the two versions of
// Nix that ./test provides, with an empty private store. Without them, or without
// root, which mounting needs, it skips the test; on CI it fails.
func Run(t *testing.T, name string) {
	if Inside() {
		t.Skip("already inside")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"CACHEKEY_TEST_NIX", "CACHEKEY_TEST_NIX_OLDEST"} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			nix := os.Getenv(variable)
			prefix := filepath.Dir(filepath.Dir(nix))
			bash := filepath.Join(prefix, "root/usr/bin/bash-static")
			if _, err := os.Stat(bash); nix == "" || err != nil || os.Geteuid() != 0 {
				skipOrFail(t, "%s must name the nix of checks/offline/install-nix.sh, and root run the test: it is %q", variable, nix)
			}
			static := t.TempDir()
			Copy(t, bash, filepath.Join(static, "bin/bash"))
			cmd := exec.Command(filepath.Join(repository(t), "checks/offline/with-nix.sh"), prefix, t.TempDir(),
				self, "-test.run=^"+name+"$", "-test.v", "-test.timeout=5m")
			cmd.Env = append(os.Environ(), bashVariable+"="+static)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// skipOrFail skips the test because Nix is missing, or fails it on CI.
func skipOrFail(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CACHEKEY_TEST_REQUIRE_NIX") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// repository returns the root of this repository. Tests start in their package.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
	}
	t.Fatalf("no go.mod above %s", dir)
	return ""
}

// Nixpkgs creates the flake of testdata/nixpkgs at dir: a stand-in for nixpkgs with a
// shell and some tools, which builds offline.
func Nixpkgs(t *testing.T, dir, system string) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(repository(t), "internal/nixtest/testdata/nixpkgs"))); err != nil {
		t.Fatal(err)
	}
	Copy(t, filepath.Join(os.Getenv(bashVariable), "bin/bash"), filepath.Join(dir, "bash/bin/bash"))
	if err := os.WriteFile(filepath.Join(dir, "system"), []byte(system), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Workspace creates a git work tree at dir. Its flake has the directory nixpkgs as
// input, locked by Nix. Its package "lint" is nixpkgs' hello.
func Workspace(t *testing.T, dir, nixpkgs string) {
	t.Helper()
	from := filepath.Join(repository(t), "internal/nixtest/testdata/workspace")
	text, err := os.ReadFile(filepath.Join(from, "flake.nix"))
	if err == nil {
		err = os.MkdirAll(dir, 0o777)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "flake.nix"), []byte(strings.ReplaceAll(string(text), "@nixpkgs@", nixpkgs)), 0o666)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(".same\n"), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"git init -q", "git add .", "nix flake lock", "git add ."} {
		args := strings.Fields(words)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", words, err, out)
		}
	}
}

// Copy copies a program and makes it executable.
func Copy(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), fs.ModePerm)
	}
	if err == nil {
		err = os.WriteFile(to, data, fs.ModePerm)
	}
	if err != nil {
		t.Fatal(err)
	}
}
