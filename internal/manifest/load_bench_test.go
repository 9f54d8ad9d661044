package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkLoad loads 100 projects of 10 tasks, each with 3 inputs.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	write := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			b.Fatal(err)
		}
	}
	write(WorkspaceFile, "version: \"1\"\nprojects: [\"p*\"]\n")
	for p := range 100 {
		var text strings.Builder
		fmt.Fprintf(&text, "version: \"1\"\nproject: p%d\ntasks:\n", p)
		for t := range 10 {
			fmt.Fprintf(&text, "  t%d:\n    input: [\"src%d/**\", \"a\", \"b/*.go\"]\n    cmd: [sh, -c, \"true\"]\n    target: [out%d]\n", t, t, t)
		}
		write(fmt.Sprintf("p%d/%s", p, TaskFile), text.String())
	}
	for b.Loop() {
		if w, err := Load(dir); err != nil || len(w.Tasks) != 1000 {
			b.Fatal(err)
		}
	}
}
