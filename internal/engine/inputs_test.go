package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cachekey/internal/manifest"
)

// What was made on one system is no result on another. (That each of the other
// parts counts is for the scripts of tools/same: there they can be changed.)
func TestTheSystemCounts(t *testing.T) {
	root := t.TempDir()
	text := "version: \"1\"\ntasks: {t: {cmd: [sh, -c, 'echo x >out'], target: [out]}}\n"
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
		r := &Runner{Workspace: ws, System: system, LookupEnv: os.LookupEnv, Report: &Lines{To: &out}, Warnf: t.Errorf}
		if _, err := r.Run(context.Background(), ws.Tasks); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, c := range []struct{ system, want string }{
		{"x86_64-linux", "1 ran, 0 cached"},
		{"x86_64-linux", "0 ran, 1 cached"},
		{"aarch64-linux", "1 ran, 0 cached"},
		{"x86_64-linux", "1 ran, 0 cached"},
	} {
		if said := run(c.system); !strings.Contains(said, c.want) {
			t.Errorf("on %s, want %s:\n%s", c.system, c.want, said)
		}
	}
}
