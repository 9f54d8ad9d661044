package files

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cachekey/internal/dotsame"
)

// What Replace foretells is what Match finds where the outputs lie at the targets.
func TestReplace(t *testing.T) {
	const was, will = "out/old", "out/x"
	before := world(t, "src/a", was, "out/sub/old", "single", "out2/kept")
	after := world(t, "src/a", will, "out/sub/run", "out/link -> x", "out/empty/", "single", "out2/kept")
	if err := os.Chmod(filepath.Join(after, "out/sub/run"), 0o755); err != nil {
		t.Fatal(err)
	}
	targets := []string{"out", "single"}
	var outputs []dotsame.Output
	for _, target := range targets {
		found, err := openTree(t, after).Scan(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, found...)
	}
	for _, patterns := range [][]string{{"**"}, {"out"}, {"out/*", "src"}, {will}, {will, "out/sub/run"}, {"single", "out2/**"}, {was, "src/a"}} {
		ps, err := Compile(patterns, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := match(t, openTree(t, before), patterns, nil)
		got.Replace(ps, targets, outputs)
		want := match(t, openTree(t, after), patterns, nil)
		if !slices.Equal(got.Found, want.Found) || !slices.Equal(got.Empty, want.Empty) {
			t.Errorf("%q: got %v, want %v", patterns, got, want)
		}
	}
}
