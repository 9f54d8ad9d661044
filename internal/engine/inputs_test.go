package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cachekey/internal/manifest"
)

// TestSystemIsAnInput checks that a result of one system is not used on another. The
// scripts of tools/same test the other parts of the recipe, which they can change.
func TestSystemIsAnInput(t *testing.T) {
	root := t.TempDir()
	text := "version: \"1\"\ntasks: {t: {input: [], cmd: [sh, -c, 'echo x >out'], target: [out]}}\n"
	if err := os.WriteFile(filepath.Join(root, "same.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(system string) string {
		t.Helper()
		ws, err := manifest.Load(root)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		c := Config{Workspace: ws, System: system, LookupEnv: os.LookupEnv, Report: &Lines{To: &out}, Warnf: t.Errorf}
		if _, err := c.Run(context.Background(), ws.Tasks); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, c := range []struct{ system, want string }{
		{"x86_64-linux", "1 ran, 0 cached"},
		{"x86_64-linux", "0 ran, 1 cached"},
		{"aarch64-linux", "1 ran, 0 cached"},
		{"x86_64-linux", "0 ran, 1 cached"}, // its result is still there
		{"aarch64-darwin", "1 ran, 0 cached"},
	} {
		if got := run(c.system); !strings.Contains(got, c.want) {
			t.Errorf("on %s: got %s, want %s", c.system, got, c.want)
		}
	}
}
