package realise

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestStorePaths(t *testing.T) {
	got := storePaths([]string{
		"PATH=" + goPath + "/bin:" + bashPath + "/bin", "NIX_STORE=/nix/store", "out=" + outPath, "dev=" + cPath, "outputs=out dev",
		"NIX_LDFLAGS=-rpath " + outPath + "/lib -L" + cPath + "/lib", "SELF=" + goPath, "EMPTY=",
		"BAD=/nix/store/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee-x /nix/store/short-x /nix/store/52f5kjcmgmvgrz3rij676b3rjmgg5l5g-.x /nix/store/../etc",
		"LONG=/nix/store/52f5kjcmgmvgrz3rij676b3rjmgg5l5g-" + strings.Repeat("x", 212),
	})
	if want := []string{goPath, bashPath}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzStorePaths: what is taken for a store path is one, whatever surrounds it.
func FuzzStorePaths(f *testing.F) {
	sample, err := os.ReadFile("testdata/environment.json")
	if err != nil {
		f.Fatal(err)
	}
	var variables []string
	if err := json.Unmarshal(sample, &variables); err != nil || len(variables) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, v := range variables {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, p := range storePaths([]string{v, "A=" + v}) {
			name := strings.TrimPrefix(p, "/nix/store/")
			if len(name) < 34 || name[32] != '-' || strings.ContainsAny(name, "/: \n") || strings.HasPrefix(name[33:], ".") || !strings.Contains(v, p) {
				t.Errorf("%q gave %q", v, p)
			}
		}
	})
}
