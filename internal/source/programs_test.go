package source

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever .git/config, .git/hooks, .gitattributes and a submodule's configuration
// name, reading a checkout runs no program but git, and git gets no secret.
func TestNoPrograms(t *testing.T) {
	dir := t.TempDir()
	ran := filepath.Join(t.TempDir(), "ran")
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\necho \"$0 $* $CACHEKEY_SEAL_KEY\" >>%s\nexit 1\n", ran), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("CACHEKEY_SEAL_KEY", "0123456789abcdef")
	run := func(at string, args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = at
		cmd.Env = append(os.Environ(), "GIT_ALLOW_PROTOCOL=file")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	author := []string{"-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m", "x"}
	sub := t.TempDir()
	run(sub, "init", "-q")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(sub+"/f", "f")
	write(sub+"/.gitattributes", "* filter=evil diff=evil\n")
	run(sub, "add", ".")
	run(sub, author...)
	run(dir, "init", "-q")
	for _, name := range []string{"flake.nix", "a.txt", "same.yaml"} {
		write(filepath.Join(dir, name), "{ }")
	}
	write(dir+"/.gitattributes", "* filter=evil diff=evil\n")
	write(dir+"/.gitignore", "ignored\n")
	write(dir+"/ignored", "")
	run(dir, "submodule", "add", "-q", sub, "sub")
	run(dir, "add", ".")
	run(dir, author...)
	run(dir, "update-index", "--assume-unchanged", "a.txt")

	for _, at := range []string{dir, dir + "/sub"} {
		for _, setting := range []string{
			"core.fsmonitor", "core.sshCommand", "core.gitProxy", "core.pager", "core.editor", "core.askPass", "core.alternateRefsCommand",
			"pager.ls-files", "pager.status", "diff.external", "diff.evil.textconv", "diff.evil.command",
			"filter.evil.clean", "filter.evil.smudge", "filter.evil.process",
			"credential.helper", "remote.evil.uploadpack", "remote.evil.receivepack", "uploadpack.packObjectsHook",
			"gpg.program", "sequence.editor", "interactive.diffFilter", "submodule.sub.update",
		} {
			value := program
			if setting == "submodule.sub.update" {
				value = "!" + program
			}
			run(at, "config", setting, value)
		}
		for _, name := range []string{"ls-files", "ls-tree", "rev-parse", "config", "status", "check-ignore", "diff-files"} {
			run(at, "config", "alias."+name, "!"+program)
		}
		run(at, "config", "core.repositoryformatversion", "1")
		run(at, "config", "extensions.partialClone", "evil")
		run(at, "config", "remote.evil.promisor", "true")
		run(at, "config", "remote.evil.url", "localhost:/x")
	}
	hooks := filepath.Join(dir, ".git", "hooks")
	if err := os.MkdirAll(hooks, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"post-index-change", "post-checkout", "fsmonitor-watchman", "pre-auto-gc", "reference-transaction"} {
		if err := os.Symlink(program, filepath.Join(hooks, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(dir+"/sub/f", "g") // as large as before, so that only its contents say so
	write(dir+"/a.txt", "other")
	// HEAD names a commit that is not there, which a partial clone fetches.
	check := func(what string) {
		t.Helper()
		tree, err := Open(t.Context(), dir, Options{})
		if err == nil {
			defer tree.Close()
			if _, err = tree.NarHash(t.Context()); err == nil {
				_, _, err = tree.Untracked(t.Context(), ".same")
			}
			if err == nil {
				_, err = tree.Forgotten(t.Context(), func(string) bool { return true }, nil)
			}
		}
		t.Logf("%s: %v", what, err)
		if text, err := os.ReadFile(ran); err == nil {
			t.Errorf("%s: programs ran: %s", what, text)
		}
		os.Remove(ran)
	}
	check("settings")
	for _, head := range []string{".git/HEAD", ".git/modules/sub/HEAD"} {
		write(filepath.Join(dir, head), strings.Repeat("1", 40)+"\n")
	}
	check("a commit that is not there")
}
