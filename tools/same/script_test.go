package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the scripts' expected output")

func TestMain(m *testing.M) {
	if os.Getenv("RUN_SAME") != "" { // set by TestFaults for its own processes
		main()
	}
	testscript.Main(m, map[string]func(){"same": main})
}

// TestScripts runs testdata/script: same as its users run it, one topic a file.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// What the machine that tests run on has set is not what is tested.
			env.Setenv("GITHUB_ACTIONS", "")
			env.Setenv("USER", "somebody")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"carry": carry,
		},
	})
}

// carry is "carry FROM TO": what a CI cache does between two runs. The sources
// of FROM come to TO by a checkout, and of .same only what is carried.
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
