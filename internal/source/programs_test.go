package source

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hostileConfig returns a configuration of git in which every setting that can name
// a program names this one.
func hostileConfig(program string) string {
	return strings.ReplaceAll(`
[core]
	repositoryformatversion = 1
	fsmonitor = %
	sshCommand = %
	gitProxy = %
	pager = %
	editor = %
	askPass = %
	alternateRefsCommand = %
	hooksPath = %.hooks
[pager]
	ls-files = %
	status = %
[diff]
	external = %
[diff "evil"]
	textconv = %
	command = %
[filter "evil"]
	clean = %
	smudge = %
	process = %
	required
[filter "lfs"]
	clean = %
	smudge = %
	process = %
	required
[filter "a=b"]
	clean = %
	process = %
[merge "evil"]
	driver = %
[credential]
	helper = !%
[extensions]
	partialClone = evil
[remote "evil"]
	promisor = true
	url = localhost:/x
	uploadpack = %
	receivepack = %
	proxy = localhost
[remote "worse"]
	promisor = true
	url = ext::%
	vcs = ext
[protocol]
	allow = always
[protocol "ext"]
	allow = always
[uploadpack]
	packObjectsHook = %
[gpg]
	program = %
[sequence]
	editor = %
[interactive]
	diffFilter = %
[submodule]
	recurse = true
[submodule "sub"]
	update = !%
[alias]
	ls-files = !%
	ls-tree = !%
	rev-parse = !%
	config = !%
	status = !%
	check-ignore = !%
	diff-files = !%
	diff-index = !%
`, "%", program)
}

// TestNoPrograms reads checkouts whose configuration, hooks, attributes and submodules
// name programs, and with such an environment. No program but git is run, and git gets
// no secret.
func TestNoPrograms(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	program := filepath.Join(t.TempDir(), "program")
	config := filepath.Join(t.TempDir(), "config")
	script := fmt.Sprintf("#!/bin/sh\necho \"$0 $* $CACHEKEY_SEAL_KEY\" >>%s\nexit 1\n", ran)
	if err := os.WriteFile(program, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("CACHEKEY_SEAL_KEY", "0123456789abcdef")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	hooks := func(dir string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"post-index-change", "post-checkout", "fsmonitor-watchman", "query-fsmonitor", "pre-auto-gc", "reference-transaction"} {
			if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(config, hostileConfig(program))
	hooks(program + ".hooks")
	attributes := "* filter=evil diff=evil merge=evil\n*.lfs filter=lfs diff=lfs\n*.odd filter=a=b\n"

	git := func(at string, args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = at
		cmd.Env = append(os.Environ(), "GIT_ALLOW_PROTOCOL=file")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	author := []string{"-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m", "x"}
	// checkout returns a directory with a repository and a submodule called sub.
	checkout := func(t *testing.T) string {
		t.Helper()
		dir, sub := t.TempDir(), t.TempDir()
		git(sub, "init", "-q")
		for _, name := range []string{"f", "f.lfs", "f.odd"} {
			write(filepath.Join(sub, name), "f")
		}
		write(sub+"/.gitattributes", attributes)
		git(sub, "add", ".")
		git(sub, author...)
		git(dir, "init", "-q")
		for _, name := range []string{"flake.nix", "a.txt", "a.lfs", "a.odd", "same.yaml"} {
			write(filepath.Join(dir, name), "{ }")
		}
		write(dir+"/.gitattributes", attributes)
		write(dir+"/.gitignore", "ignored\n")
		write(dir+"/ignored", "")
		git(dir, "submodule", "add", "-q", sub, "sub")
		git(dir, "add", ".")
		git(dir, author...)
		git(dir, "update-index", "--assume-unchanged", "a.txt")
		return dir
	}
	// change makes git look at contents, in files as large as before.
	change := func(dir string) {
		t.Helper()
		for _, name := range []string{"a.txt", "a.lfs", "a.odd"} {
			replaceFile(t, filepath.Join(dir, name), "{x}")
		}
		for _, name := range []string{"f", "f.lfs", "f.odd"} {
			replaceFile(t, filepath.Join(dir, "sub", name), "g")
		}
	}
	read := func(dir string) (hash Hash, err error) {
		tree, err := Open(t.Context(), dir, Options{})
		if err == nil {
			defer tree.Close()
			if hash, err = tree.NarHash(t.Context()); err == nil {
				_, _, err = tree.Untracked(t.Context(), ".same")
			}
			if err == nil {
				_, err = tree.Forgotten(t.Context(), func(string) bool { return true }, nil)
			}
		}
		_, trackedErr := Tracked(t.Context(), dir, ".gitignore")
		if err == nil {
			err = trackedErr
		}
		return hash, err
	}
	check := func(t *testing.T, dir, what string) {
		t.Helper()
		_, err := read(dir)
		t.Logf("%s: %v", what, err)
		if text, err := os.ReadFile(ran); err == nil {
			t.Errorf("%s: programs ran: %s", what, text)
		}
		os.Remove(ran)
	}

	for name, set := range map[string]func(dir, gitDir string){
		".git/config":  func(_, gitDir string) { write(gitDir+"/config", hostileConfig(program)) },
		"include.path": func(_, gitDir string) { write(gitDir+"/config", "[include]\npath = "+config+"\n") },
		"includeIf":    func(_, gitDir string) { write(gitDir+"/config", "[includeIf \"gitdir:/\"]\npath = "+config+"\n") },
		"includeIf of urls": func(_, gitDir string) {
			write(gitDir+"/config", "[remote \"x\"]\nurl = x\n[includeIf \"hasconfig:remote.*.url:**\"]\npath = "+config+".urls\n")
			write(config+".urls", "[core]\nfsmonitor = "+program+"\n[filter \"evil\"]\nclean = "+program+"\n")
		},
		"config.worktree": func(_, gitDir string) {
			write(gitDir+"/config", "[core]\nrepositoryformatversion = 1\n[extensions]\nworktreeConfig = true\n")
			write(gitDir+"/config.worktree", hostileConfig(program))
		},
		"hooks": func(_, gitDir string) {
			if err := os.RemoveAll(gitDir + "/hooks"); err != nil {
				t.Fatal(err)
			}
			hooks(gitDir + "/hooks")
			write(gitDir+"/config", "[core]\nfsmonitor = .git/hooks/query-fsmonitor\n")
		},
		"a .git that is a file": func(dir, gitDir string) {
			write(gitDir+"/config", hostileConfig(program))
			if gitDir == dir+"/.git" {
				if err := os.Rename(gitDir, dir+".git"); err != nil {
					t.Fatal(err)
				}
				write(gitDir, "gitdir: "+dir+".git\n")
				replaceFile(t, dir+"/sub/.git", "gitdir: "+dir+".git/modules/sub\n")
				git(filepath.Dir(dir), "config", "--file", dir+".git/modules/sub/config", "core.worktree", dir+"/sub")
			}
		},
		"core.worktree": func(dir, gitDir string) {
			write(gitDir+"/config", hostileConfig(program))
			if gitDir == dir+"/.git" {
				write(gitDir+"/config", "[core]\nworktree = "+dir+"/sub\n")
			}
		},
		"alternates": func(_, gitDir string) {
			write(gitDir+"/config", hostileConfig(program))
			write(gitDir+"/objects/info/alternates", "/nowhere\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkout(t)
			modules := dir + "/.git/modules/sub"
			set(dir, modules)
			set(dir, dir+"/.git")
			gitDir := dir + "/.git"
			if _, err := os.Stat(gitDir + "/HEAD"); err != nil {
				gitDir = dir + ".git"
			}
			check(t, dir, "nothing changed")
			change(dir)
			check(t, dir, "files changed")
			// A partial clone fetches a commit that is not there.
			for _, head := range []string{gitDir + "/HEAD", gitDir + "/modules/sub/HEAD"} {
				replaceFile(t, head, strings.Repeat("1", 40)+"\n")
			}
			check(t, dir, "a commit that is not there")
		})
	}

	t.Run("the environment", func(t *testing.T) {
		dir, other := checkout(t), checkout(t)
		change(dir)
		want, err := read(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{
			"GIT_SSH", "GIT_SSH_COMMAND", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_EXTERNAL_DIFF", "GIT_ASKPASS", "SSH_ASKPASS",
			"GIT_PROXY_COMMAND", "EDITOR", "VISUAL", "PAGER", "BROWSER", "GIT_TRACE", "GIT_TRACE2", "GIT_TRACE_SETUP",
		} {
			t.Setenv(name, program)
		}
		for name, value := range map[string]string{
			"GIT_DIR": other + "/.git", "GIT_WORK_TREE": other, "GIT_COMMON_DIR": other + "/.git", "GIT_INDEX_FILE": other + "/.git/index",
			"GIT_OBJECT_DIRECTORY": other + "/.git/objects", "GIT_NAMESPACE": "x", "GIT_CEILING_DIRECTORIES": dir, "GIT_ATTR_SOURCE": "HEAD",
			"GIT_PREFIX": "sub/", "GIT_DEFAULT_HASH": "sha256", "GIT_LITERAL_PATHSPECS": "0", "GIT_ICASE_PATHSPECS": "1",
			"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": program,
		} {
			t.Setenv(name, value)
		}
		check(t, dir, "the environment")
		if got, err := read(dir); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if text, err := os.ReadFile(program); err != nil || string(text) != script {
			t.Errorf("git wrote into %s: %q %v", program, text, err)
		}
	})
}

func replaceFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
