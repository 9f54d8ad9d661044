package key

import (
	"testing"

	"github.com/bmatcuk/doublestar/v4"
)

// The shortcut is a shortcut: doublestar alone gives the same answer.
func FuzzPattern(f *testing.F) {
	for _, glob := range append(DefaultLocks("sub"), "**", "a/{b/c,d}.nix", "{a/b,c}", "x[a/]b", `a\*b`, "*/b*c", "[ab]c/d?e", "**/") {
		for _, path := range []string{"flake.lock", "sub/flake.lock", "a/b/c.nix", "a/d.nix", "c", "go.work.sum", "x/go.mod", "xab", "a*b", "a/bxc", "ac/dxe", "a/b"} {
			f.Add(glob, path)
		}
	}
	f.Fuzz(func(t *testing.T, glob, path string) {
		if checkPattern(glob) != nil || path == "" {
			return
		}
		if got, want := newPattern(glob).matches(path), doublestar.MatchUnvalidated(glob, path); got != want {
			t.Errorf("%q matches %q: %v, doublestar says %v", glob, path, got, want)
		}
	})
}
