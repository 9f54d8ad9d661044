package nixenv

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cachekey/internal/key"
	"cachekey/internal/message"
	"cachekey/internal/nixtest"
)

// A fixture is a workspace with its own flake, whose input is the stand-in for
// nixpkgs, locked by Nix.
type fixture struct {
	root, nixpkgs, system string
}

func newFixture(t *testing.T) *fixture {
	dir := t.TempDir()
	f := &fixture{root: filepath.Join(dir, "a workspace"), nixpkgs: filepath.Join(dir, "nixpkgs")}
	f.system = key.System(runtime.GOOS, runtime.GOARCH)
	nixtest.Nixpkgs(t, f.nixpkgs, f.system)
	nixtest.Workspace(t, f.root, f.nixpkgs)
	return f
}

func (f *fixture) resolver(t *testing.T) (*Resolver, *warnings) {
	warned := &warnings{}
	return &Resolver{Root: f.root, System: f.system, Nixhub: "http://127.0.0.1:1", Get: httpGet, nixhubPolicy: hurried, Warnf: warned.warnf}, warned
}

// get returns the environment of tools.
func (f *fixture) get(t *testing.T, r *Resolver, tools map[string]string) []string {
	t.Helper()
	res, err := r.Resolve(t.Context(), tools)
	if err != nil {
		t.Fatalf("%v (%s)", err, message.Hint(err))
	}
	env, err := r.Environment(t.Context(), tools, res)
	if err != nil {
		t.Fatalf("%v (%s)", err, message.Hint(err))
	}
	return env
}

func valueOf(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func mustRead(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}
