package main

import (
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain runs the test binary as the command cachekey if it is called by that name,
// which the tests put on PATH.
func TestMain(m *testing.M) {
	testscript.Main(isolated{m}, map[string]func(){"cachekey": main})
}

// isolated runs the tests with an empty home, and without the user's git
// configuration, Nix configuration and locale.
type isolated struct{ m *testing.M }

func (i isolated) Run() int {
	dir, err := os.MkdirTemp("", "cachekey-test-")
	if err != nil {
		log.Fatal(err)
	}
	defer removeAll(dir)
	scratch = dir
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		for _, prefix := range []string{"GIT_", "NIX_", "XDG_", "GITHUB_", "LC_", "LANG", "CI", "CACHEKEY"} {
			if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "CACHEKEY_TEST_") {
				os.Unsetenv(name)
			}
		}
	}
	home := filepath.Join(dir, "home")
	if err := writeHome(home); err != nil {
		log.Fatal(err)
	}
	os.Setenv("HOME", home)
	// With the race detector every cachekey would sleep for a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	return i.m.Run()
}

var scratch string // a directory that is removed after the tests

// writeHome makes a home directory in which git can commit, and clone from
// directories (as submodules do).
func writeHome(home string) error {
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(`[user]
	name = Someone
	email = someone@example.org
[init]
	defaultBranch = main
[protocol "file"]
	allow = always
[advice]
	detachedHead = false
[gc]
	auto = 0
`), 0o644)
}

// removeAll also removes directories that Nix has made read-only.
func removeAll(dir string) {
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(path, 0o755)
		}
		return nil
	})
	os.RemoveAll(dir)
}
