package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"cachekey/internal/key"
	"cachekey/internal/nixtest"
)

// TestNix runs testdata/nix, the scripts that need a real Nix.
func TestNix(t *testing.T) { nixtest.Run(t, "TestNixScripts") }

func TestNixScripts(t *testing.T) {
	if !nixtest.Inside() {
		t.Skip("TestNix runs it")
	}
	system := key.System(runtime.GOOS, runtime.GOARCH)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/nix",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			nixpkgs := filepath.Join(env.WorkDir, "nixpkgs")
			nixtest.Nixpkgs(t, nixpkgs, system)
			nixtest.Workspace(t, filepath.Join(env.WorkDir, "ws"), nixpkgs)
			for _, name := range []string{"NIX_CONF_DIR", "NIX_USER_CONF_FILES", "HOME"} {
				env.Setenv(name, os.Getenv(name))
			}
			env.Setenv("GITHUB_ACTIONS", "")
			env.Setenv("GORACE", os.Getenv("GORACE"))
			// The machine's PATH without a nix: the first entry has same itself.
			own, _, _ := strings.Cut(env.Getenv("PATH"), ":")
			env.Setenv("WITHOUT_NIX", own+":/usr/bin:/bin")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"carry": carry},
	})
}
