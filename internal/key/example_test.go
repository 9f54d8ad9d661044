package key

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The worked example of docs/key-format.md, run with b3sum and nix, prints the key
// that the page shows, and Compute returns it.
func TestWorkedExample(t *testing.T) {
	text, err := os.ReadFile("../../docs/key-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```sh\n")
	script, rest, ok2 := strings.Cut(rest, "```\n")
	_, rest, ok3 := strings.Cut(rest, "```\n")
	want, _, ok4 := strings.Cut(rest, "```\n")
	if !ok || !ok2 || !ok3 || !ok4 {
		t.Fatal("the page has no example with its key below")
	}
	_, noB3sum := exec.LookPath("b3sum")
	nix := os.Getenv("CACHEKEY_TEST_NIX")
	if noB3sum != nil || nix == "" {
		if os.Getenv("CACHEKEY_TEST_REQUIRE_NIX") != "" {
			t.Fatalf("the example needs b3sum (%v) and CACHEKEY_TEST_NIX (%q)", noB3sum, nix)
		}
		t.Skip("no b3sum, or no Nix in CACHEKEY_TEST_NIX, to work the example with")
	}
	dir := t.TempDir()
	cmd := exec.Command("bash", "-euc", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(nix)+":"+os.Getenv("PATH"), "NIX_CONFIG=experimental-features = nix-command")
	cmd.Stderr = t.Output()
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("by hand: got %s, the page has %s", got, want)
	}
	d, err := Compute(t.Context(), Options{Dir: dir, System: "x86_64-linux"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Key+"\n" != want {
		t.Errorf("Compute: got %s, the page has %s", d.Key, want)
	}
}
