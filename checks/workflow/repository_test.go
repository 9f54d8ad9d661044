package workflow

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// thisRepository creates a repository of the files in the working tree of this one. A
// build tag excludes its Go tests, because many runs have `go test` as a task and
// their result does not matter. The files stay in the tree, because the vendorHash of
// the module covers their imports.
func thisRepository(t *testing.T) string {
	t.Helper()
	origin := filepath.Join(t.TempDir(), "origin")
	listed := git(t, root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.Trim(listed, "\x00"), "\x00") {
		from, to := filepath.Join(root, name), filepath.Join(origin, name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) {
			continue // deleted, not committed yet
		}
		must(t, err)
		must(t, os.MkdirAll(filepath.Dir(to), 0o755))
		if info.Mode()&os.ModeSymlink != 0 {
			target, err := os.Readlink(from)
			must(t, err)
			must(t, os.Symlink(target, to))
			continue
		}
		data, err := os.ReadFile(from)
		must(t, err)
		if strings.HasSuffix(name, "_test.go") {
			data = leftOut(data)
		}
		must(t, os.WriteFile(to, data, info.Mode().Perm()))
	}
	commit(t, origin, "this repository", nil)
	return origin
}

var buildLine = regexp.MustCompile(`(?m)^//go:build (.*)$`)

// leftOut returns a Go file that no build includes.
func leftOut(file []byte) []byte {
	if buildLine.Match(file) {
		return buildLine.ReplaceAll(file, []byte("//go:build ($1) && left_out"))
	}
	return append([]byte("//go:build left_out\n\n"), file...)
}

// uses returns the remote actions that the workflows and actions of the repository at
// dir call, each with its ref.
func uses(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"action.yml", "*/action.yml", ".github/workflows/*.yml", ".forgejo/workflows/*.yml"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		must(t, err)
		for _, file := range files {
			for _, s := range read(t, file).steps() {
				if s.Uses == "" || strings.HasPrefix(s.Uses, "./") {
					continue
				}
				action, ref, _ := strings.Cut(s.Uses, "@")
				use := strings.Join(strings.Split(action, "/")[:2], "/") + "@" + ref
				if _, err := os.Stat(filepath.Join("doubles", filepath.Base(strings.Split(use, "@")[0]))); err == nil && !slices.Contains(all, use) {
					all = append(all, use)
				}
			}
		}
	}
	return all
}

// edit replaces old by new in a file of the repository, which must contain old.
func edit(t *testing.T, dir, name, old, new string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	must(t, err)
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %q", name, old)
	}
	return map[string]string{name: strings.Replace(string(data), old, new, 1)}
}
