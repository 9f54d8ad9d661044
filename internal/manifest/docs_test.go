package manifest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocs checks that the examples of docs/same-yaml.md are valid, and that it
// explains every field.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/same-yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples", len(examples))
	}
	for i, example := range examples {
		dir := t.TempDir()
		name := []string{TaskFile, WorkspaceFile}[i]
		if err := os.MkdirAll(filepath.Join(dir, "app"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "app", TaskFile), []byte("version: \"1\"\nproject: app\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), example[1], 0o666); err != nil {
			t.Fatal(err)
		}
		if w, err := Load(dir); err != nil || name == TaskFile && len(w.Warnings) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, field := range slices.Concat(taskFileFields, taskFields) {
		if !strings.Contains(string(page), "\n| `"+field+"` |") {
			t.Errorf("no row for %s", field)
		}
	}
}
