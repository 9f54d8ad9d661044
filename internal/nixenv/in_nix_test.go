package nixenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cachekey/internal/dotsame"
	"cachekey/internal/message"
	"cachekey/internal/nixtest"
)

// TestNix runs TestInNix with real Nix.
func TestNix(t *testing.T) { nixtest.Run(t, "TestInNix") }

func TestInNix(t *testing.T) {
	if !nixtest.Inside() {
		t.Skip("TestNix runs it")
	}
	f := newFixture(t)
	t.Run("environment", f.environment)
	t.Run("own flake", f.ownFlake)
	t.Run("collected garbage", f.collectedGarbage)
	t.Run("new lock", f.newLock)
	t.Run("Nixhub", f.nixhub)
	t.Run("pinned", f.pinned)
	t.Run("failures", f.failures)
	t.Run("concurrent", f.concurrent)
	t.Run("read-only", f.readOnly)
}

var helloTool = map[string]string{"hi": "nixpkgs#hello", "deep": "nixpkgs#nested.deep"}

func (f *fixture) environment(t *testing.T) {
	t.Setenv("SAME_TEST_PERSON", "something in a home")
	r, warned := f.resolver(t)
	env := f.get(t, r, helloTool)
	path := valueOf(env, "PATH")
	if !strings.Contains(path, "-deep/bin:/nix/store/") || !strings.HasSuffix(path, "-hello/bin") {
		t.Errorf("PATH is %s", path)
	}
	if got := run(t, "", filepath.Join(strings.Split(path, ":")[1], "hello")); got != "hello from the store\n" {
		t.Errorf("hello printed %q", got)
	}
	for name, want := range map[string]string{
		"system": f.system, "OF_SETUP": "from setup", "GOTOOLCHAIN": "local", "IN_NIX_SHELL": "impure",
		// Not exported, the builder's, another shell's, or dangerous.
		"NOT_EXPORTED": "", "BASH": "", "HOME": "", "TMPDIR": "", "NIX_BUILD_TOP": "", "NIX_BUILD_CORES": "", "TERM": "", "shellHook": "",
		"MULTI": "", "LD_PRELOAD": "", "OF_THE_PERSON": "", resolutionVariable: "",
	} {
		if got := valueOf(env, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// The file has the same variables, sorted, and the resolution.
	var file []string
	readJSON(t, filepath.Join(f.root, dotsame.EnvironmentPath(helloTool)), &file)
	if !slices.IsSorted(file) || len(file) != len(env)+1 || len(valueOf(file, resolutionVariable)) != 64 {
		t.Errorf("file: %q", file)
	}
	// With the file, Nix is not needed.
	again, _ := f.resolver(t)
	again.Nix = "/nowhere/nix"
	if got := f.get(t, again, helloTool); !slices.Equal(got, env) {
		t.Errorf("from the file: got %q, want %q", got, env)
	}
	// The environment of another system, or one that was tampered with, is replaced.
	for _, text := range []string{
		strings.ReplaceAll(mustRead(t, filepath.Join(f.root, dotsame.EnvironmentPath(helloTool))), "system="+f.system, "system=mips-plan9"),
		`["LD_PRELOAD=/tmp/evil.so","system=` + f.system + `"]`,
	} {
		write(t, filepath.Join(f.root, dotsame.EnvironmentPath(helloTool)), text)
		again, _ = f.resolver(t)
		if got := f.get(t, again, helloTool); !slices.Equal(got, env) {
			t.Errorf("made again: got %q, want %q", got, env)
		}
	}
	if warned.String() != "" {
		t.Error(warned)
	}
}

func (f *fixture) ownFlake(t *testing.T) {
	r, _ := f.resolver(t)
	tools := map[string]string{"lint": ".#lint"}
	if path := valueOf(f.get(t, r, tools), "PATH"); !strings.HasSuffix(path, "-hello/bin") {
		t.Errorf("PATH is %s", path)
	}
	res, err := r.Resolve(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	derivation := strings.TrimSpace(run(t, f.root, "nix", "eval", "--raw", ".#lint"))
	if got := res.Tools[0].Locked; got != "derivation:"+derivation || res.Unknown() != nil {
		t.Errorf("got %s, want the derivation %s; %v", got, derivation, res.Unknown())
	}
	// It is cached for the same tree: Nix is not asked again.
	again, warned := f.resolver(t)
	again.Nix = "/nowhere/nix"
	if got, err := again.Resolve(t.Context(), tools); err != nil || got.Unknown() != nil || got.Digest() != res.Digest() || warned.String() != "" {
		t.Errorf("cached: got %+v, %v, %v, %s", got, got.Unknown(), err, warned)
	}
	// An environment of another derivation than the one that counts is not made.
	stale := res
	stale.Tools = slices.Clone(res.Tools)
	stale.Tools[0].derivation = strings.Replace(derivation, "-hello", "-bye", 1)
	stale.Tools[0].Locked = "derivation:" + stale.Tools[0].derivation
	if _, err := again.Environment(t.Context(), tools, stale); err == nil {
		t.Error("got an environment of another derivation, without Nix")
	}
	r, _ = f.resolver(t)
	if _, err := r.Environment(t.Context(), tools, stale); err == nil || !strings.Contains(err.Error(), "the flake has changed") {
		t.Errorf("got %v", err)
	}
}

// collectedGarbage checks that Nix does not collect the store paths of an
// environment until .same/local is removed. Then the environment is made again.
func (f *fixture) collectedGarbage(t *testing.T) {
	r, _ := f.resolver(t)
	env := f.get(t, r, helloTool)
	hello := strings.TrimSuffix(strings.Split(valueOf(env, "PATH"), ":")[1], "/bin")
	run(t, f.root, "nix", "store", "gc")
	if _, err := os.Stat(hello); err != nil {
		t.Fatalf("collected while in use: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(f.root, ".same/local")); err != nil {
		t.Fatal(err)
	}
	run(t, f.root, "nix", "store", "gc")
	if _, err := os.Stat(hello); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("not collected: %v", err)
	}
	r, _ = f.resolver(t)
	if got := f.get(t, r, helloTool); !slices.Equal(got, env) {
		t.Errorf("made again: got %q, want %q", got, env)
	}
	if _, err := os.Stat(hello); err != nil {
		t.Error(err)
	}
}

// newLock checks that another nixpkgs in the lock changes the tools, and that the
// old environment, which has the same id, is not used.
func (f *fixture) newLock(t *testing.T) {
	r, _ := f.resolver(t)
	before, err := r.Resolve(t.Context(), helloTool)
	if err != nil {
		t.Fatal(err)
	}
	old := f.get(t, r, helloTool)
	edit(t, filepath.Join(f.nixpkgs, "hello/bin/hello"), "hello from", "bye from")
	run(t, f.root, "nix", "flake", "update")
	r, _ = f.resolver(t)
	after, err := r.Resolve(t.Context(), helloTool)
	if err != nil || after.Digest() == before.Digest() {
		t.Fatalf("the digest is the same, %v", err)
	}
	env := f.get(t, r, helloTool)
	if slices.Equal(env, old) {
		t.Error("the old environment is used")
	}
	if got := run(t, "", filepath.Join(strings.Split(valueOf(env, "PATH"), ":")[1], "hello")); got != "bye from the store\n" {
		t.Errorf("hello printed %q", got)
	}
}

// nixhub tests everything but the download from GitHub: a wrapper of nix puts the
// path of the stand-in in place of the revision that Nixhub named.
func (f *fixture) nixhub(t *testing.T) {
	hub, warned, asked := newResolver(t, body(strings.ReplaceAll(strings.ReplaceAll(answer, "x86_64-linux", f.system), `"attr_path": "go"`, `"attr_path": "hello"`)))
	r, _ := f.resolver(t)
	r.Nixhub = hub.Nixhub
	r.Nix = filepath.Join(t.TempDir(), "nix")
	write(t, r.Nix, fmt.Sprintf(`#!/bin/sh
for arg; do
	shift
	case $arg in
	*'"github:NixOS/nixpkgs/%s"'*) arg=$(printf %%s "$arg" | sed 's|github:NixOS/nixpkgs/%s|path:%s|') ;;
	esac
	set -- "$@" "$arg"
done
exec nix "$@" --impure
`, sampleRev, sampleRev, f.nixpkgs))
	if err := os.Chmod(r.Nix, 0o777); err != nil {
		t.Fatal(err)
	}
	if path := valueOf(f.get(t, r, goTool), "PATH"); !strings.HasSuffix(path, "-hello/bin") {
		t.Errorf("PATH is %s", path)
	}
	if asked.Load() != 1 || warned.String() != "" {
		t.Errorf("asked %d times, warned %q", asked.Load(), warned)
	}
}

// pinned checks that tools resolve to the packages that `same env` wrote, without
// Nix, lock or network.
func (f *fixture) pinned(t *testing.T) {
	hello := run(t, f.root, "nix", "build", "--no-link", "--print-out-paths", "path:"+f.nixpkgs+"#hello")
	hello = strings.TrimSpace(hello)
	tools := map[string]string{"hi": "hello@1"}
	digests := map[string]bool{}
	for _, packages := range []map[string]string{
		{"hi": hello},
		{"hi": filepath.Dir(strings.TrimSuffix(hello, "/")) + "/00000000000000000000000000000000-hello"},
	} {
		file, err := Pin(f.system, packages, nil)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(f.root, dotsame.EnvironmentPath(tools)), string(file))
		r, warned := f.resolver(t)
		r.Nix = "/nowhere/nix"
		res, err := r.Resolve(t.Context(), tools)
		if err != nil || res.Pinned == "" {
			t.Fatalf("resolved to %+v, %v", res, err)
		}
		digests[res.Digest().String()] = true
		env, err := r.Environment(t.Context(), tools, res)
		if packages["hi"] != hello {
			if err == nil || !strings.Contains(err.Error(), packages["hi"]+" does not exist") || !strings.Contains(message.Hint(err), "cachekey realise") {
				t.Errorf("got %v, hint %q", err, message.Hint(err))
			}
		} else if err != nil || valueOf(env, "PATH") != hello+"/bin" {
			t.Errorf("got %q, %v", env, err)
		}
		if warned.String() != "" {
			t.Error(warned)
		}
	}
	if len(digests) != 2 {
		t.Error("the digest does not depend on the package")
	}
	if _, err := Pin(f.system, map[string]string{"hi": hello + "/bin"}, nil); err == nil || !strings.Contains(err.Error(), "has no bin") {
		t.Errorf("a package without bin: %v", err)
	}
}
