package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNixSelf writes random flakes that set inputs.self, or only look like it, in a
// clean repository with a file whose committed mode differs from the one on disk. So
// the hash of Nix shows whether it has read the disk or git's objects. If it has read
// the disk, cachekey must print the same hash, otherwise an error: a flake.nix that
// it misreads would be a wrong hash.
func TestNixSelf(t *testing.T) {
	t.Parallel()
	both := requireNix(t)
	count, seed := randomness(t, 40)
	self := 0
	for s := seed; s < seed+count; s++ {
		r := rand.New(rand.NewPCG(s, 1))
		text := randomFlake(r)
		dir := filepath.Join(t.TempDir(), "repo")
		disk := cleanRepository(t, dir, text)
		want, err := both.current.flakeHash(dir, os.Environ())
		if err != nil {
			continue // not valid Nix
		}
		got, stderr, ownErr := ownHash(dir, os.Environ())
		switch {
		case want == disk && ownErr == nil && got == disk:
		case want != disk && ownErr != nil && strings.Contains(stderr, "--nar-hash"):
			self++
		default:
			t.Errorf("CACHEKEY_TEST_SEED=%d: Nix says %s (on disk %s), cachekey %s %v\n%s", s, want, disk, got, ownErr, text)
		}
	}
	t.Logf("%d of %d flakes set inputs.self", self, count)
}

// cleanRepository makes a repository that git reports as clean, with a file that is
// executable only on disk. It returns the hash of the files on disk.
func cleanRepository(t *testing.T, dir, flake string) (onDisk string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"flake.nix": flake, "run": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{"init -q", "config core.fileMode false", "add .", "commit -q -m x"} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, strings.Fields(args)...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The same files without git.
	plain := dir + "-plain"
	for _, args := range [][]string{{"mkdir", plain}, {"cp", "-p", dir + "/flake.nix", dir + "/run", plain}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	hash, err := requireNix(t).current.pathHash(plain, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func pick(r *rand.Rand, choices ...string) string { return choices[r.IntN(len(choices))] }

// randomFlake makes a flake of bindings, of which some set inputs.self, with random
// white space and comments between tokens.
func randomFlake(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(pick(r, "", "# { inputs.self.lfs = true; }\n", "/* { */"))
	b.WriteString(pick(r, "{", "{", "{", "rec {", "({"))
	closing := "}"
	if strings.HasSuffix(b.String(), "({") {
		closing = "})"
	}
	bindings := []string{"outputs" + gap(r) + "=" + gap(r) + randomOutputs(r) + ";"}
	seen := map[string]bool{}
	for range r.IntN(4) {
		for _, binding := range []string{randomInput(r), randomDecoy(r)} {
			// Nix refuses an attribute that is set twice.
			if first, _, _ := strings.Cut(binding, " "); r.IntN(2) == 0 && !seen[first] {
				seen[first] = true
				bindings = append(bindings, binding)
			}
		}
	}
	r.Shuffle(len(bindings), func(i, j int) { bindings[i], bindings[j] = bindings[j], bindings[i] })
	for _, binding := range bindings {
		b.WriteString(gap(r) + binding)
	}
	return b.String() + gap(r) + closing + pick(r, "", "\n", " # end", "/* end */")
}

// gap returns white space and comments that may be between two tokens.
func gap(r *rand.Rand) string {
	return pick(r, " ", " ", "\n", "\t", " # it's \"a\" comment; }\n", "/* { ' */", "/**/", "/***/ ", " #\r\n")
}

func randomInput(r *rand.Rand) string {
	inputs := pick(r, "inputs", "inputs", `"inputs"`, `"in\puts"`)
	self := pick(r, "self", "self", `"self"`, `"se\lf"`, `${"self"}`)
	what := pick(r, "lfs", "submodules", `"lfs"`)
	value := pick(r, "true", "false", "(false)")
	dot, is := pick(r, ".", ".", " . ", "."+gap(r)), gap(r)+"="+gap(r)
	switch r.IntN(6) {
	case 0:
		return inputs + dot + self + dot + what + is + value + ";"
	case 1:
		return inputs + dot + self + is + "{" + gap(r) + what + is + value + "; };"
	case 2:
		return inputs + is + "{" + self + dot + what + is + value + ";" + gap(r) + "};"
	case 3:
		return inputs + is + "rec {" + gap(r) + self + is + "({ " + what + is + value + "; }); };"
	case 4:
		return inputs + is + "{ };"
	}
	return inputs + dot + self + is + "{" + gap(r) + "};"
}

// randomDecoy returns a binding that does not set inputs.
func randomDecoy(r *rand.Rand) string {
	name := pick(r, "description", "nixConfig.a", "nixConfig.b", `nixConfig."inputs.self.lfs"`)
	inner := "inputs.self.lfs = true;"
	value := pick(r,
		`"`+inner+`"`,
		`"\"; `+inner+` \""`,
		`"\${`+inner+`}"`,
		`"$${`+inner+`}"`,
		`"a''b"`,
		"''"+inner+"''",
		"'' ''' "+inner+" ''",
		"'' ''${ "+inner+" ''",
		"'' ''\\n "+inner+" ''",
		"'' $${ "+inner+" ''",
		"http://example.org/''",
		"http://example.org/*a",
		"http://example.org/a*/",
		"x:'a",
		"mailto:a;",
	)
	return name + gap(r) + "= " + strings.TrimSuffix(value, ";") + ";"
}

func randomOutputs(r *rand.Rand) string {
	inner := "inputs.self.lfs = true;"
	return pick(r,
		"_: { }",
		"{ self }: { }",
		"{ self, ... }@inputs: { "+inner+" }",
		"_: let "+inner+" in { }",
		"_: let a = let b = 1; in b; in { }",
		"_: with { a = 1; }; { }",
		"_: assert true; { }",
		"_: let a = with { b = 1; }; b; in { }",
		"_: with let a = assert true; { }; in a; { }",
		"let { body = _: { }; }",
		"_: let x = if true then 1 else 2; in with x; assert x == 1; { "+inner+" }",
		`_: { a = "${"}"} ${toString (1)}"; }`,
		"_: { a = ''${\"''\"} ''; b = ./a/b; c = <nix/x>; d = a: a; e = a//b; }",
		"_: { a = '' ''' "+inner+" ''; b = '' ''${ "+inner+" ''; c = '' ''\\n''; }",
		fmt.Sprintf("_: { a = [ 1 (2) { %s } ]; b = -1.5e3; }", inner),
		"{ self, a ? \"}\" }: { }",
		"_: { a = ./with; b = ./in.nix; c = ./let/x.nix; d = <nixpkgs>; e = ~/let; f = a/with; g = ./assert.nix; }",
		`inputs: { a = ./${"}"}/with; b = ./in${"x"}let; c = ./${if true then "with" else "in"}; }`,
	)
}
