package nixenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFits(t *testing.T) {
	const store = "/nix/store/52f5kjcmgmvgrz3rij676b3rjmgg5l5g-"
	for _, tt := range []struct {
		spec, name string
		want       bool
	}{
		{"go@1.25.4", "go-1.25.4", true},
		{"go@1.25.4", "go-1.25.40", false},
		{"go@1.25.4", "go-1.25.5", false},
		{"nodejs@20", "nodejs-20.11.1", true},
		{"nodejs@20", "nodejs-200.1", false},
		{"openssl@3.0", "openssl-3.0-bin", true},
		{"go@latest", "go-1.25.4", true},
		{"nixpkgs#go", "go-1.25.4", true},
		{"git+ssh://git@host/x#go", "go-1.25.4", true},
	} {
		if got := Fits(tt.spec, store+tt.name); got != tt.want {
			t.Errorf("Fits(%s, %s): got %v, want %v", tt.spec, tt.name, got, tt.want)
		}
	}
}

// TestAdoptRefuses checks that Adopt refuses files that the Resolver would ignore.
func TestAdoptRefuses(t *testing.T) {
	id := strings.Repeat("a", 64) + ".json"
	for name, text := range map[string]string{
		"hostile": `["LD_PRELOAD=/tmp/x","PATH=` + goStorePath + `/bin"]`,
		"broken":  `[`,
	} {
		t.Run(name, func(t *testing.T) {
			root, from := t.TempDir(), t.TempDir()
			write(t, filepath.Join(from, id), text)
			changed, err := Adopt(root, from)
			if err == nil || !strings.Contains(err.Error(), id) || len(changed) > 0 {
				t.Errorf("changed %q, %v", changed, err)
			}
			if _, err := os.Stat(filepath.Join(root, ".same")); !os.IsNotExist(err) {
				t.Errorf("wrote something: %v", err)
			}
		})
	}
}
