package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A place is a file that CI runs, with words that it contains.
type place struct{ file, words string }

const (
	runFlake = "checks/offline/run.sh"
	envTests = "tools/same/testdata/script/env.txtar"
)

// elsewhere maps the commands that a page shows or names but TestCommands can't run,
// because they need Nix, a release or an hour, to the place where they are run.
var elsewhere = map[string]place{
	"./test":          {".ci/run", "step test "},
	"go test ./docs":  {".ci/run", "step test "},
	".ci/run":         {".ci/run", `run_steps "$@"`},
	"nix flake check": {runFlake, "flake flake check"},
	"nix flake init -t github:OWNER/cachekey": {runFlake, `nix flake init -t "path:$work/self"`},
	"nix run":                                      {runFlake, `"$(flake run)"`},
	"nix run .#cachekey":                           {runFlake, `"$(flake run .#cachekey)"`},
	"nix run .#two-pass":                           {runFlake, "flake run .#two-pass"},
	"nix run .#update-options":                     {runFlake, "#update-options"},
	"nix run github:OWNER/cachekey":                {runFlake, `flake run "path:$work/self#cachekey"`},
	"nix/update-vendor-hash":                       {runFlake, "nix/update-vendor-hash --check"},
	"npm ci && go test ./...":                      {"checks/workflow/run.sh", "npm ci "},
	"go run ./bench/key":                           benchmark,
	"go run ./bench/key --write":                   benchmark,
	"go run ./bench/run":                           benchmark,
	"go run ./bench/run --write":                   benchmark,
	"go run ./bench/verify --write":                benchmark,
	"same env --package go=/nix/store/…-go-1.25.4": {envTests, "exec same env --package go=/nix/store/"},
	"same env -C src --out $out --system x86_64-linux --package go=${go} --package lint=${lint}": {envTests, "exec same env --system x86_64-linux --out out --package go="},
	"same env -C src --out $out --packages packages.json":                                        {envTests, "--out again --packages -"},
	"same env --from DIR": {envTests, "exec same env --from out"},
}

var benchmark = place{".ci/run", "for bench in key run verify"}

// readers are the blocks of code that another test reads from the page.
var readers = map[string]string{ // page and language: the test
	"CONTRIBUTING.md text":   "docs/names_test.go",
	"README.md mermaid":      "docs/flow_test.go",
	"docs/ci.md yaml":        "checks/workflow/pages_test.go",
	"docs/flake.md nix":      "checks/pages.nix",
	"docs/key-format.md sh":  "internal/key/example_test.go",
	"docs/same-yaml.md yaml": "internal/manifest/docs_test.go",
}

// TestPlaces checks the tables above.
func TestPlaces(t *testing.T) {
	for command, p := range elsewhere {
		if text := ranByCI(t, p.file); !strings.Contains(text, p.words) {
			t.Errorf("%s: %s has no %q", command, p.file, p.words)
		}
	}
	for blocks, test := range readers {
		path, language, _ := strings.Cut(blocks, " ")
		if text := ranByCI(t, test); !strings.Contains(text, filepath.Base(path)) || !strings.Contains(text, "```"+language) {
			t.Errorf("%s does not take the blocks of %s", test, blocks)
		}
	}
}

// ranByCI returns the text of a file, and checks that a step of CI runs it.
func ranByCI(t *testing.T, file string) string {
	t.Helper()
	by, as := ".ci/run", file
	switch dir, name := filepath.Split(file); {
	case dir == "checks/workflow/":
		as = "checks/workflow/run.sh"
	case filepath.Ext(name) == ".nix":
		by, as = "checks/default.nix", "./"+name
	case strings.HasSuffix(name, "_test.go"), filepath.Ext(name) == ".txtar":
		as = " ./test" // all Go tests
	case file == ".ci/run":
		as = ""
	}
	if !strings.Contains(read(t, by), as) {
		t.Errorf("%s does not run %s", by, as)
	}
	return read(t, file)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}
