package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"
)

// TestBounds checks that manifests that expand to a large size are refused early.
func TestBounds(t *testing.T) {
	// Each level repeats the one below ten times: 10^7 tasks of a line each.
	bomb := "version: \"1\"\nx0: &x0 [" + strings.Repeat("a,", 10) + "]\n"
	for i := range 6 {
		bomb += fmt.Sprintf("x%d: &x%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*x%d,", i), 10))
	}
	long := "&l \"" + strings.Repeat("x", 500_000) + "\""
	merges := "version: \"1\"\ntasks:\n  m0: &m0 {cmd: [x]}\n"
	for i := range 12 {
		merges += fmt.Sprintf("  m%d: &m%d {<<: [%s]}\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*m%d,", i), 10))
	}
	var tasks strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&tasks, "  t%d: {cmd: [x], dependsOn: [u%d]}\n", i, i)
	}
	for _, tt := range []struct{ name, manifest, want string }{
		{"a large file", "# " + strings.Repeat("x", maxFile), "larger than 1048576 bytes"},
		{"aliases of aliases", bomb, "unknown field"},
		{"merges of merges", merges, "too large after its aliases are expanded"},
		{"many aliases of a long string", "version: \"1\"\ntasks: {a: {cmd: [x], input: [" + long + strings.Repeat(",*l", 20_000) + "]}}", "too large after its aliases are expanded"},
		{"many aliases of a long list", "version: \"1\"\ntasks:\n  a: {cmd: [x], input: &l [" + strings.Repeat("x,", 100_000) + "]}\n" + aliasTasks(1000), "too large after its aliases are expanded"},
		{"deep brackets", "a: " + strings.Repeat("[", 500_000), "not YAML"},
		{"20,000 mistakes", "version: \"1\"\ntasks:\n" + strings.Repeat("  a: {}\n", 20_000), "more mistakes"},
		{"5,000 unknown names", "version: \"1\"\ntasks:\n" + tasks.String(), "more mistakes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, TaskFile), []byte(tt.manifest), 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %.300v", err)
			}
			if len(err.Error()) > 20_000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func aliasTasks(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  b%d: {cmd: [x], input: *l}\n", i)
	}
	return b.String()
}

// TestLinkedProject checks that a project may be a link, but not to outside the
// workspace.
func TestLinkedProject(t *testing.T) {
	root := unpack(t, txtar.Parse([]byte(`
-- w/same.work.yaml --
version: "1"
projects: [link]
-- w/real/same.yaml --
version: "1"
project: p
tasks: {a: {cmd: [x]}}
-- elsewhere/same.yaml --
version: "1"
project: p
tasks: {a: {cmd: [x]}}
`)))
	w := filepath.Join(root, "w")
	link := filepath.Join(w, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(w); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../elsewhere", link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(w); err == nil || !strings.Contains(err.Error(), "is a link to outside the workspace") {
		t.Fatalf("got %v", err)
	}
}

// TestWalkIsBounded checks that ** does not walk more than the limit.
func TestWalkIsBounded(t *testing.T) {
	root := unpack(t, txtar.Parse([]byte("-- a/b/c/same.yaml --\n")))
	for left, want := range map[int]bool{10: true, 2: false} {
		_, err := doublestar.Glob(&boundedFS{os.DirFS(root), left}, "**/same.yaml", doublestar.WithFailOnIOErrors())
		if (err == nil) != want {
			t.Errorf("with %d directories left: %v", left, err)
		}
	}
}

// TestFifo checks that Load does not block on a named pipe.
func TestFifo(t *testing.T) {
	root := unpack(t, txtar.Parse([]byte("-- same.work.yaml --\nversion: \"1\"\nprojects: [a]\n-- a/x --\n")))
	if err := unix.Mkfifo(filepath.Join(root, "a", TaskFile), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(root); err == nil || !strings.Contains(err.Error(), "a/same.yaml:1: not a regular file") {
		t.Errorf("got %v", err)
	}
}
