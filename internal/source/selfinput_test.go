package source

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSelfInput(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"path":                {`{ inputs.self.submodules = true; outputs = _: { }; }`, ".submodules"},
		"set in path":         {`{ inputs.self = { lfs = true; }; outputs = _: { }; }`, ".lfs"},
		"path in set":         {`{ inputs = { self.submodules = false; }; outputs = _: { }; }`, ".submodules"},
		"sets":                {`{ inputs = { a.url = "x"; self = { submodules = true; }; }; }`, ".submodules"},
		"quoted in braces":    {`{ ${"inputs"}.${"self"}.${"lfs"} = true; }`, ".lfs"},
		"quoted":              {`{ "inputs"."self"."lfs" = true; }`, ".lfs"},
		"rec":                 {`rec { inputs = rec { self.lfs = true; }; }`, ".lfs"},
		"after with":          {`{ outputs = with builtins; x: assert true; { }; inputs.self.lfs = true; }`, ".lfs"},
		"after let":           {`{ outputs = _: let a = 1; b = let c = 2; in c; in { }; inputs.self.lfs = true; }`, ".lfs"},
		"after with in let":   {`{ outputs = _: let a = with b; c; d = assert e; f; in a; inputs.self.lfs = true; }`, ".lfs"},
		"after let in with":   {`{ outputs = _: with let a = with b; c; in a; d; inputs.self.lfs = true; }`, ".lfs"},
		"after an old let":    {`{ outputs = let { body = _: { }; }; inputs.self.lfs = true; }`, ".lfs"},
		"after braces":        {`{ description = "}"; x = ''}; ''' ''${ ${"}"} ''; inputs.self.lfs = true; }`, ".lfs"},
		"after dollars":       {`{ x = "$${"; y = "$${"; inputs.self.lfs = true; }`, ".lfs"},
		"after an update":     {`{ x = a //* b; y = c; inputs.self.lfs = true; }`, ".lfs"},
		"after a URI":         {`{ inputs.a.url = https://example.org/a//b?c=d; inputs.self.lfs = true; }`, ".lfs"},
		"after ./with":        {`{ outputs = inputs: import ./with inputs; inputs.self.lfs = true; }`, ".lfs"},
		"after ./in.nix":      {`{ outputs = inputs: import ./in.nix inputs; inputs.self.lfs = true; }`, ".lfs"},
		"after ./let/x.nix":   {`{ outputs = inputs: import ./let/x.nix inputs; inputs.self.lfs = true; }`, ".lfs"},
		"after assert.nix":    {`{ outputs = x/assert.nix; a = ../with/; inputs.self.lfs = true; }`, ".lfs"},
		"after <with>":        {`{ a = <with>; b = <in/let>; inputs.self.lfs = true; }`, ".lfs"},
		"after ~/with":        {`{ a = ~/with; inputs.self.lfs = true; }`, ".lfs"},
		"after a/b":           {`{ a = let/in; b = with/assert; c = /let/in; inputs.self.lfs = true; }`, ".lfs"},
		"after ./${x}":        {`{ a = ./${"}"}/with; b = ./with${{ a = "in"; }.a}let/in${"b"}; c = ~/${"x"}with; inputs.self.lfs = true; }`, ".lfs"},
		"after a division":    {`{ a = 4 / 2; b = x: x /y; c = a: a<b; inputs.self.lfs = true; }`, ".lfs"},
		"no inputs":           {`{ outputs = { self }: self.x; }`, ""},
		"self is an argument": {`{ inputs.nixpkgs.url = "n"; outputs = { self, nixpkgs }: { a = self.inputs.self.lfs; }; }`, ""},
		"follows":             {`{ inputs.a.inputs.self.follows = ""; }`, ""},
		"empty self":          {`{ inputs.self = { }; }`, ""},
		"in a comment":        {"{ # inputs.self.lfs = true;\n /* inputs.self.lfs = true; */ outputs = _: { }; }", ""},
		"in a string":         {`{ description = "inputs.self.lfs = true;"; }`, ""},
		"in a nested set":     {`{ outputs = _: { inputs.self.lfs = true; }; }`, ""},
		"nixConfig":           {`{ nixConfig.self = { a = 1; }; inputs = { }; }`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			attr, found, err := selfInput([]byte(c.text))
			if err != nil || attr != c.want || found != (c.want != "") {
				t.Errorf("got %q, %v, %v, want %q", attr, found, err, c.want)
			}
		})
	}
}

// Nix's own parser finds the end of each expression in testdata/expressions.txt where
// selfInput finds it: the binding that follows is there for both.
func TestSelfInputNix(t *testing.T) {
	text, err := os.ReadFile("testdata/expressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	for i, expression := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		for j, form := range []string{"%s", "with %s; a", "let e = with %s; a; in e"} {
			flake := fmt.Sprintf("{ x = a: b: c: d: x: y: "+form+"; inputs = { self = { lfs = true; }; }; }", expression)
			if attr, _, err := selfInput([]byte(flake)); err != nil || attr != ".lfs" {
				t.Errorf("%s: got %q, %v, want .lfs", flake, attr, err)
			}
			file := filepath.Join(dir, fmt.Sprintf("%d-%d.nix", i, j))
			if err := os.WriteFile(file, []byte(flake), 0o666); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	for _, variable := range []string{"CACHEKEY_TEST_NIX", "CACHEKEY_TEST_NIX_OLDEST"} {
		nix := os.Getenv(variable)
		if nix == "" && os.Getenv("CACHEKEY_TEST_REQUIRE_NIX") == "" {
			t.Logf("no comparison with Nix: %s is not set (./test sets it)", variable)
			continue
		}
		cmd := exec.Command(filepath.Join(filepath.Dir(nix), "nix-instantiate"), append([]string{"--parse"}, files...)...)
		cmd.Env = append(os.Environ(), "NIX_STATE_DIR="+dir, "NIX_REMOTE=dummy://")
		out, err := cmd.Output()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			t.Fatalf("%s: %s", variable, exit.Stderr)
		} else if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(out), "{ inputs = { self = { lfs = true; }; }; x = "); got != len(files) {
			t.Errorf("%s finds the binding in %d of %d files", variable, got, len(files))
		}
	}
}

func TestSelfInputUnsure(t *testing.T) {
	for _, text := range []string{``, `{`, `{ a = "`, `{ a = ''`, `{ a = "${`, `/* {}`, `let a = 1; in { }`, `{ inputs = import ./inputs.nix; }`,
		`{ ${"in" + "puts"}.self.lfs = true; }`, `{ "in${"puts"}".self.lfs = true; }`, `{ inputs.${a}.lfs = true; }`, `{ ${"inputs" + ""}.self.lfs = true; }`, `{ inputs.self.${a} = true; }`,
		`rec { __overrides = { inputs.self.lfs = true; }; }`, `{ inputs = rec { __overrides.self.lfs = true; }; }`} {
		if _, _, err := selfInput([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// Comments and white space around a flake do not change the result, and no text
// crashes the lexer.
func FuzzSelfInput(f *testing.F) {
	for _, s := range []string{`{ inputs.self.lfs = true; }`, `{ x = ''a ''${ '''${"b"}''; }`, `{ x = "$${a}\${b}${c "}" {}}"; }`, `{ inherit (a) b; c = ./d/*e*/; }`,
		`{ a = import ./with x; b = ./in.nix; c = ./let/x.nix; d = ./assert.nix; inputs.self.lfs = true; }`, `{ a = <nixpkgs/in>; b = ~/with; c = a/let; }`, `{ a = ./${x}/let; b = ./in${"}"}with/${a}/b; }`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		attr, found, err := selfInput([]byte(text))
		if err != nil || strings.Contains(text, "#") {
			return
		}
		attr2, found2, err2 := selfInput([]byte(" /* } */ \n" + text + "\n# inputs.self.x = 1;"))
		if err2 != nil || attr != attr2 || found != found2 {
			t.Errorf("got %q, %v, and with comments %q, %v, %v", attr, found, attr2, found2, err2)
		}
	})
}
