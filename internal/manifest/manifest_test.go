package manifest

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cachekey/internal/message"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "update testdata")

// unpack writes the files of a to a new directory and returns its path.
func unpack(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// archives runs f for every archive of testdata/dir and compares the result with the
// file "want" of the archive.
func archives(t *testing.T, dir string, f func(t *testing.T, root string, a *txtar.Archive) string) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives in testdata/%s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			last := len(a.Files) - 1
			if a.Files[last].Name != "want" {
				t.Fatal("the last file is not want")
			}
			want := string(a.Files[last].Data)
			given := &txtar.Archive{Files: a.Files[:last]}
			got := f(t, unpack(t, given), a)
			if got == want {
				return
			}
			if *update {
				a.Files[last].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		})
	}
}

// printed returns err as it is printed.
func printed(root string, err error) string {
	var b strings.Builder
	several := message.Several{err}
	errors.As(err, &several)
	for _, e := range several {
		b.WriteString("error: " + e.Error() + "\n")
		if h := message.Hint(e); h != "" {
			b.WriteString("hint: " + h + "\n")
		}
	}
	return strings.ReplaceAll(b.String(), root, "$WORK")
}

// TestMistakes loads workspaces with mistakes. Each archive has the expected errors.
func TestMistakes(t *testing.T) {
	archives(t, "mistakes", func(t *testing.T, root string, a *txtar.Archive) string {
		_, err := Load(root)
		if err == nil {
			return ""
		}
		return printed(root, err)
	})
}

// TestGood loads workspaces without mistakes. Each archive has the expected result,
// and may name the directory to load from in its first line: "in: some/dir".
func TestGood(t *testing.T) {
	archives(t, "good", func(t *testing.T, root string, a *txtar.Archive) string {
		dir := root
		for line := range strings.Lines(string(a.Comment)) {
			if in, ok := strings.CutPrefix(line, "in: "); ok {
				dir = filepath.Join(root, strings.TrimSpace(in))
			}
		}
		w, err := Load(dir)
		if err != nil {
			t.Fatal(printed(root, err))
		}
		again, err := Load(dir)
		if err != nil || asJSON(t, w) != asJSON(t, again) {
			t.Fatalf("loading again: another result, %v", err)
		}
		return strings.ReplaceAll(asJSON(t, w), root, "$WORK")
	})
}

// asJSON returns a workspace as lines of JSON: everything but the tasks, then each
// task.
func asJSON(t *testing.T, w *Workspace) string {
	t.Helper()
	rest := *w
	rest.Tasks = nil
	lines := []any{rest}
	for _, task := range w.Tasks {
		lines = append(lines, task)
	}
	var b strings.Builder
	for _, line := range lines {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.String()
}
