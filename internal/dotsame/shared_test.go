package dotsame

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSharedStore checks which directory workspaces share, with real worktrees and
// submodules of git.
func TestSharedStore(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=n", "-c", "user.email=e", "-c", "protocol.file.allow=always"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	at := func(rel string) string { return filepath.Join(dir, rel) }
	store := func(rel string) string {
		t.Helper()
		if err := os.MkdirAll(at(rel+"/.same/store"), 0o755); err != nil {
			t.Fatal(err)
		}
		return at(rel + "/.same/store")
	}
	git("init", "-q", "main")
	git("-C", "main", "commit", "-q", "--allow-empty", "-m", "x")
	git("-C", "main", "worktree", "add", "-q", "../linked")
	git("-C", "main", "worktree", "add", "-q", "../moved")
	git("clone", "-q", "--bare", "main", "bare.git")
	git("-C", "bare.git", "worktree", "add", "-q", "../of-bare")
	git("init", "-q", "super")
	git("-C", "super", "submodule", "--quiet", "add", at("main"), "sub")
	main, sub := store("main"), store("main/a/b")
	store(".") // beside bare.git
	if err := os.MkdirAll(at("linked/a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(at("linked/other"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(at("moved"), at("elsewhere")); err != nil { // git does not know it there
		t.Fatal(err)
	}
	for _, c := range []struct{ root, set, want string }{
		{"main", "-", ""},
		{"linked", "-", main},
		{"linked/a/b", "-", sub},
		{"linked/other", "-", ""}, // main/other has no store
		{"elsewhere", "-", ""},
		{"of-bare", "-", ""},
		{"super/sub", "-", ""},
		{"linked", "", ""},
		{"linked", at("x"), at("x")},
		{"main", "../y/../z", filepath.Join(filepath.Dir(dir), "z")},
		{"main", main, ""},
		{"main", "main/.same/store", ""},
	} {
		got, err := SharedStore(at(c.root), dir, func(string) (string, bool) { return c.set, c.set != "-" })
		if err != nil || got != c.want {
			t.Errorf("%s with %q: got %q, %v; want %q", c.root, c.set, got, err, c.want)
		}
	}
	if err := os.Chmod(main, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(main, 0o700) }()
	if got := mainStore(at("linked")); os.Geteuid() != 0 && got != "" {
		t.Errorf("a store without write permission: %q", got)
	}
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := SharedStore(at("main"), dir, func(string) (string, bool) { return "file", true }); err == nil {
		t.Error("a file is no store")
	}
	if err := os.RemoveAll(at("main/.same")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("x"), at("main/.same")); err != nil {
		t.Fatal(err)
	}
	if got := mainStore(at("linked")); got != "" {
		t.Errorf("a linked .same: %q", got)
	}
}
