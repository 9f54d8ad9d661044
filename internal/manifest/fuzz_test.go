package manifest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzLoad checks that Load does not panic, is deterministic, and that all paths of
// an accepted workspace are inside it.
func FuzzLoad(f *testing.F) {
	seeds, _ := filepath.Glob("testdata/*/*.txtar")
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, seed := range seeds {
		a, err := txtar.ParseFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		var task, work []byte
		for _, file := range a.Files {
			switch filepath.Base(file.Name) {
			case TaskFile:
				task = file.Data
			case WorkspaceFile:
				work = file.Data
			}
		}
		f.Add(task, work)
	}
	f.Fuzz(func(t *testing.T, task, work []byte) {
		dir := t.TempDir()
		files := map[string][]byte{"p/same.yaml": task, "q/same.yaml": []byte("version: \"1\"\nproject: q\ntasks: {t: {cmd: [x]}}\n")}
		if len(work) > 0 {
			files[WorkspaceFile] = work
		}
		for name, data := range files {
			name = filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		w, err := Load(filepath.Join(dir, "p"))
		again, errAgain := Load(filepath.Join(dir, "p"))
		if err != nil {
			if errAgain == nil || err.Error() != errAgain.Error() {
				t.Fatalf("got %v, then %v", err, errAgain)
			}
			return
		}
		if errAgain != nil || asJSON(t, w) != asJSON(t, again) {
			t.Fatalf("loading again: another result, %v", errAgain)
		}
		order, err := w.Select(All)
		if err != nil || len(order) != len(w.Tasks) {
			t.Fatalf("all selects %d of %d tasks: %v", len(order), len(w.Tasks), err)
		}
		done := map[string]bool{}
		for _, task := range order {
			if len(task.Command) == 0 && len(task.DependsOn) == 0 {
				t.Errorf("%s has no command and no dependencies", task.Name)
			}
			for _, dep := range task.DependsOn {
				if !done[dep] {
					t.Errorf("%s comes before %s", task.Name, dep)
				}
			}
			done[task.Name] = true
			for _, p := range slices.Concat(task.Inputs, task.Targets, []string{task.WorkingDir}) {
				if !filepath.IsLocal(p) || p != filepath.ToSlash(filepath.Clean(p)) {
					t.Errorf("%s has the path %q", task.Name, p)
				}
			}
			for _, p := range task.Targets {
				if p == "." || strings.HasPrefix(p+"/", ".same/") {
					t.Errorf("%s has the target %q", task.Name, p)
				}
			}
			for alias, spec := range task.Tools {
				if _, err := ParseSpec(spec); err != nil || strings.ContainsAny(alias+spec, ";\n \"$") {
					t.Errorf("%s has the tool %q: %q, %v", task.Name, alias, spec, err)
				}
			}
		}
	})
}
