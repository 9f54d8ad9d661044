package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestNix compares cachekey with real Nix. Each script in testdata/nix makes the
// special cases of one topic with the real git, and its verbs (nix_verbs_test.go) say
// whether both must agree.
func TestNix(t *testing.T) {
	both := requireNix(t)
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "nix"),
		RequireUniqueNames: true,
		Condition:          condition,
		Cmds:               both.verbs(),
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("HOME", filepath.Join(e.WorkDir, ".home"))
			return writeHome(e.Getenv("HOME"))
		},
	})
}

// condition evaluates [root]: some cases need to change the owner of a file.
func condition(name string) (bool, error) {
	if name == "root" {
		return os.Getuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// A nix is a version of Nix with its own store, so that it needs no root and does not
// change the store of the machine.
type nix struct {
	program, version, store string
}

// nixes are the current Nix and the oldest supported one.
type nixes struct{ current, oldest nix }

// requireNix returns both versions, which ./test names in the environment. Without
// them it skips the test, or fails it on CI.
func requireNix(t *testing.T) nixes {
	t.Helper()
	both, err := findNixes()
	if err != nil {
		if os.Getenv("CACHEKEY_TEST_REQUIRE_NIX") != "" {
			t.Fatal(err)
		}
		t.Skipf("no comparison with Nix: %v (./test sets it)", err)
	}
	return both
}

var findNixes = sync.OnceValues(func() (both nixes, err error) {
	if both.current, err = newNix("CACHEKEY_TEST_NIX"); err != nil {
		return both, err
	}
	both.oldest, err = newNix("CACHEKEY_TEST_NIX_OLDEST")
	return both, err
})

func newNix(variable string) (nix, error) {
	n := nix{program: os.Getenv(variable), store: filepath.Join(scratch, strings.ToLower(variable))}
	if n.program == "" {
		return n, fmt.Errorf("%s does not name a nix", variable)
	}
	out, err := exec.Command(n.program, "--version").Output()
	if err != nil {
		return n, fmt.Errorf("%s: %w", variable, err)
	}
	n.version = strings.TrimPrefix(strings.TrimSpace(string(out)), "nix (Nix) ")
	// Nix makes its store when it is first used, which fails in two concurrent
	// processes.
	_, err = n.run(os.Environ(), "store", "info", "--store", n.store)
	return n, err
}

// flakeHash returns the narHash that Nix prints for the flake of dir, or an error
// with the message of Nix. env has more environment variables.
func (n nix) flakeHash(dir string, env []string) (string, error) {
	out, err := n.run(env, "flake", "metadata", "--json", "--offline", "--no-write-lock-file", "--store", n.store, dir)
	if err != nil {
		return "", err
	}
	var metadata struct{ Locked struct{ NarHash string } }
	if err := json.Unmarshal(out, &metadata); err != nil {
		return "", err
	}
	return metadata.Locked.NarHash, nil
}

// pathHash returns the hash that Nix prints for the directory itself.
func (n nix) pathHash(dir string, env []string) (string, error) {
	out, err := n.run(env, "hash", "path", dir)
	return strings.TrimSpace(string(out)), err
}

func (n nix) run(env []string, args ...string) ([]byte, error) {
	// Nix caches hashes by commit, and would print an old one for a tree that has
	// changed without git noticing.
	cache, err := os.MkdirTemp(scratch, "cache-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(cache)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.program, append([]string{"--extra-experimental-features", "nix-command flakes"}, args...)...)
	cmd.Dir = cache
	cmd.Env = append(env[:len(env):len(env)],
		"XDG_CACHE_HOME="+cache, "NIX_CONF_DIR="+cache, "NIX_USER_CONF_FILES=", "NIX_CONFIG=", "NO_COLOR=1")
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("nix %s %q: %w\n%s", n.version, args, err, &stderr)
	}
	return out, nil
}

// patience is how long a test waits for a program that hangs, so that the failure
// names it.
const patience = 3 * time.Minute

// ownHash returns the hash that cachekey prints, or an error with its message.
func ownHash(dir string, env []string) (hash, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "cachekey", "nar-hash", dir)
	cmd.Env, cmd.WaitDelay = env, time.Second
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		return "", errors.String(), fmt.Errorf("cachekey nar-hash: %w\n%s", err, &errors)
	}
	return strings.TrimSuffix(string(out), "\n"), errors.String(), nil
}
