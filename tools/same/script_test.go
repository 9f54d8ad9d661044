package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the scripts' expected output")

func TestMain(m *testing.M) {
	if os.Getenv("RUN_SAME") != "" { // set by TestFaults for its own processes
		main()
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each same takes a second more
	testscript.Main(tests{m}, map[string]func(){"same": main})
}

// tests are all tests, after which cleanup is called.
type tests struct{ *testing.M }

func (t tests) Run() int {
	defer func() { cleanup() }()
	return t.M.Run()
}

var cleanup = func() {}

// TestScripts runs the scripts in testdata/script, which use same as its users do.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	docs, err := filepath.Abs("../../docs")
	if err != nil {
		t.Fatal(err)
	}
	nixhub := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(nixhub.Close)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// Tests must not depend on the variables of the machine.
			env.Setenv("GITHUB_ACTIONS", "")
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("USER", "somebody")
			env.Setenv("DOCS", docs)
			env.Setenv("SAME_NIXHUB", nixhub.URL)
			own, _, _ := strings.Cut(env.Getenv("PATH"), ":")
			env.Setenv("OWN", own) // a PATH with same and nothing else
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "setid" { // a file can have special bits: not in a build sandbox of Nix
				return false, fmt.Errorf("unknown condition %q", name)
			}
			file := filepath.Join(t.TempDir(), "file")
			write(t, file, "")
			return os.Chmod(file, 0o755|os.ModeSetuid) == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"carry": carry,
		},
	})
}

// answer is a fake Nixhub that only knows go 1.25.4.
func answer(w http.ResponseWriter, req *http.Request) {
	if req.URL.Query().Get("name") != "go" || req.URL.Query().Get("version") != "1.25.4" {
		http.NotFound(w, req)
		return
	}
	const on = `{"flake_installable": {"ref": {"type": "github", "owner": "NixOS", "repo": "nixpkgs",
		"rev": "ee09932cedcef15aaf476f9343d1dea2cb77e261"}, "attr_path": "go"}, "last_updated": "2025-11-20T01:02:03Z"}`
	fmt.Fprintf(w, `{"name": "go", "version": "1.25.4", "systems": {"x86_64-linux": %s, "aarch64-linux": %s, "x86_64-darwin": %s, "aarch64-darwin": %s}}`,
		on, on, on, on)
}

// carry is the verb "carry FROM TO". It does the work of a CI cache between two runs:
// TO has the sources of FROM, as by a checkout, and the carried part of .same.
func carry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: carry FROM TO")
	}
	from, to := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Join(to, ".same"), 0o755))
	for _, name := range []string{"src", "same.yaml", "same.work.yaml", ".same/store", ".same/cache", ".same/seal.json"} {
		if _, err := os.Lstat(filepath.Join(from, name)); err == nil {
			ts.Check(ts.Exec("cp", "-R", filepath.Join(from, name), filepath.Join(to, name)))
		}
	}
}
