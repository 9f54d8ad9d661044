package workflow

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v4"
)

// rounds are the runs of each file below docs/ci: without an entry, for the same commit,
// and for a commit with a changed source.
var rounds = []struct {
	name  string
	tasks map[string]string
}{
	{"from nothing", map[string]string{"sorted": "ran", "counted": "ran", "checked": "ran"}},
	{"the same commit", map[string]string{"sorted": "cached", "counted": "cached", "checked": "cached"}},
	{"a changed source", map[string]string{"sorted": "ran", "counted": "ran", "checked": "cached"}},
}

// round prepares the repository for the n-th round.
func round(t *testing.T, origin string, n int) {
	t.Helper()
	if n == 2 {
		commit(t, origin, "more words", map[string]string{"src/words.txt": "fig\ndate\n"})
	}
}

// states reports which tasks ran and which were skipped according to a plain log.
func states(log string) map[string]string {
	r := &run{}
	for text := range strings.Lines(log) {
		at := strings.Index(text, "[")
		r.log = append(r.log, line{Raw: true, Msg: text[max(at, 0):]})
	}
	return r.tasks("")
}

func compare(t *testing.T, name, log string, want map[string]string) {
	t.Helper()
	got := states(log)
	for task, state := range want {
		if got[task] != state {
			t.Errorf("%s: %s is %q, want %q in\n%s", name, task, got[task], state, log)
		}
	}
}

func TestShellSnippet(t *testing.T) {
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	commit(t, origin, "a consumer", nil)
	script, err := filepath.Abs(filepath.Join(root, "docs/ci/same-ci.sh"))
	must(t, err)
	path, entries := programs(t)+":"+os.Getenv("PATH"), filepath.Join(t.TempDir(), "entries")
	for n, c := range rounds {
		round(t, origin, n)
		checkout := filepath.Join(t.TempDir(), "checkout")
		git(t, ".", "clone", "--quiet", "--depth=1", "file://"+origin, checkout)
		log := shell(t, checkout, path, script, entries, "all")
		compare(t, c.name, log, c.tasks)
	}
	entriesAre(t, entries, 2)
}

// TestShellSnippetInTwoWorkspaces runs in two workspaces of one repository. Each
// keeps its own entry.
func TestShellSnippetInTwoWorkspaces(t *testing.T) {
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	for _, dir := range []string{"a", "b"} {
		must(t, os.Mkdir(filepath.Join(origin, dir), 0o755))
		for _, name := range []string{"same.yaml", "src"} {
			command(t, origin, "cp", "-R", name, dir)
		}
	}
	must(t, os.Remove(filepath.Join(origin, "same.yaml")))
	commit(t, origin, "two workspaces", map[string]string{".gitignore": "out/\n.same/\n"})
	script, err := filepath.Abs(filepath.Join(root, "docs/ci/same-ci.sh"))
	must(t, err)
	path, entries := programs(t)+":"+os.Getenv("PATH"), filepath.Join(t.TempDir(), "entries")
	for _, c := range rounds[:2] {
		checkout := filepath.Join(t.TempDir(), "checkout")
		git(t, ".", "clone", "--quiet", "--depth=1", "file://"+origin, checkout)
		for _, dir := range []string{"a", "b"} {
			compare(t, c.name+" in "+dir, shell(t, filepath.Join(checkout, dir), path, script, entries, "all"), c.tasks)
		}
		entriesAre(t, entries, 2)
	}
}

// TestArchiveWithExtraFile restores an entry with an untracked file of the workspace.
// The job fails before a task runs.
func TestArchiveWithExtraFile(t *testing.T) {
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	commit(t, origin, "a consumer", nil)
	script, err := filepath.Abs(filepath.Join(root, "docs/ci/same-ci.sh"))
	must(t, err)
	path, entries := programs(t)+":"+os.Getenv("PATH"), filepath.Join(t.TempDir(), "entries")
	first, second := filepath.Join(t.TempDir(), "checkout"), filepath.Join(t.TempDir(), "checkout")
	for _, checkout := range []string{first, second} {
		git(t, ".", "clone", "--quiet", "--depth=1", "file://"+origin, checkout)
		must(t, os.WriteFile(filepath.Join(checkout, "mine.txt"), []byte("was there before\n"), 0o644))
	}
	shell(t, first, path, script, entries, "all")
	archives, err := filepath.Glob(filepath.Join(entries, "*.tar"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(first, "src/more.txt"), []byte("came with the archive\n"), 0o644))
	command(t, first, "tar", "-rf", archives[0], "src/more.txt")
	cmd := exec.Command(script, entries, "all")
	cmd.Dir = second
	cmd.Env = append(os.Environ(), "PATH="+path)
	out, err := cmd.CombinedOutput()
	if printed := string(out); err == nil || !strings.Contains(printed, `"src/more.txt"`) || strings.Contains(printed, "mine.txt") || len(states(printed)) != 0 {
		t.Errorf("got %v, want an error about src/more.txt before any task:\n%s", err, out)
	}
}

// TestCacheOfAnotherUser runs a job as nobody with a .same that root restored, as on
// some runners, and entries that the job cannot write. Tasks are skipped as usual,
// nothing can be saved, and the job is green.
func TestCacheOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a program as another user")
	}
	const nobody = 65534
	t.Setenv("TMPDIR", "/tmp") // another user can't enter every directory of temporary files
	shared := t.TempDir()
	must(t, os.Chmod(filepath.Dir(shared), 0o755)) // of all directories of this test
	for _, dir := range []string{"action", "save", "docs/ci"} {
		must(t, os.CopyFS(filepath.Join(shared, dir), os.DirFS(filepath.Join(root, dir))))
	}
	must(t, os.CopyFS(filepath.Join(shared, "bin"), os.DirFS(programs(t))))
	path := filepath.Join(shared, "bin") + ":" + os.Getenv("PATH")
	script := filepath.Join(shared, "docs/ci/same-ci.sh")

	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	commit(t, origin, "a consumer", nil)
	clone := func() string {
		checkout := filepath.Join(t.TempDir(), "checkout")
		git(t, ".", "clone", "--quiet", "--depth=1", "file://"+origin, checkout)
		return checkout
	}
	roots, entries := clone(), filepath.Join(t.TempDir(), "entries")
	shell(t, roots, path, script, entries, "all")
	matched := command(t, roots, filepath.Join(shared, "bin/cachekey"))

	gitlab, err := os.ReadFile(filepath.Join(root, "docs/ci/gitlab-ci.yml"))
	must(t, err)
	var jobs struct{ Key, Same struct{ Script []string } }
	must(t, yaml.Unmarshal(gitlab, &jobs))
	actions := `export KEY=$(cachekey) RUNNER_TEMP=$HOME GITHUB_OUTPUT=$HOME/outputs INPUT_DIRECTORY=. INPUT_MAX_SIZE=
"$0/action/key.sh" && "$0/action/verify.sh" && same run --ci all && "$0/save/seal.sh"`
	for n, c := range rounds[1:] {
		round(t, origin, n+1)
		for name, args := range map[string][]string{
			"a shell": {script, entries, "all"},
			"GitLab":  {"bash", "-eo", "pipefail", "-c", strings.Join(append(jobs.Key.Script, jobs.Same.Script...), "\n")},
			"actions": {"bash", "-e", "-c", actions, shared},
		} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				checkout := clone()
				command(t, ".", "chown", "-R", fmt.Sprint(nobody), filepath.Dir(checkout))
				must(t, os.Mkdir(filepath.Join(checkout, ".same"), 0o755))
				command(t, ".", "cp", "-R", filepath.Join(roots, ".same/store"), filepath.Join(roots, ".same/seal.json"), filepath.Join(checkout, ".same"))
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Dir = checkout
				cmd.Env = []string{"PATH=" + path, "HOME=" + filepath.Dir(checkout), "MATCHED_KEY=" + matched}
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				compare(t, c.name, string(out), c.tasks)
				entriesAre(t, entries, 1)
			})
		}
	}
}

// entriesAre checks that the directory of same-ci.sh has that many entries and
// nothing else.
func entriesAre(t *testing.T, dir string, want int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	hidden, err := filepath.Glob(filepath.Join(dir, ".*"))
	must(t, err)
	if all := append(names, hidden...); len(all) != 2*want {
		t.Errorf("got %q, want %d entries", all, want)
	}
}

// TestShellSnippetInTwoContainers saves two commits' entries at the same time, in
// containers in which both scripts are process 1.
func TestShellSnippetInTwoContainers(t *testing.T) {
	if err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").Run(); err != nil {
		t.Skipf("no PID namespaces here: %v", err)
	}
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	script, err := filepath.Abs(filepath.Join(root, "docs/ci/same-ci.sh"))
	must(t, err)
	bin := programs(t)
	// The archives are complete for a while before they are in place.
	slow := "#!/bin/sh\n" + findTar(t) + " \"$@\" && sleep 1.5\n"
	must(t, os.WriteFile(filepath.Join(bin, "tar"), []byte(slow), 0o755))
	path, entries := bin+":"+os.Getenv("PATH"), filepath.Join(t.TempDir(), "entries")
	var checkouts []string
	for n := range 2 {
		commit(t, origin, "a commit", map[string]string{"src/words.txt": strings.Repeat("fig\n", n+1)})
		checkout := filepath.Join(t.TempDir(), "checkout")
		git(t, ".", "clone", "--quiet", "--depth=1", "file://"+origin, checkout)
		checkouts = append(checkouts, checkout)
	}
	var both sync.WaitGroup
	for _, checkout := range checkouts {
		both.Go(func() {
			cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", script, entries, "all")
			cmd.Dir = checkout
			cmd.Env = append(os.Environ(), "PATH="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	both.Wait()
	entriesAre(t, entries, 2)
	all := map[string]string{"sorted": "cached", "counted": "cached", "checked": "cached"}
	for _, checkout := range checkouts { // each finds its own
		must(t, os.RemoveAll(filepath.Join(checkout, ".same")))
		must(t, os.RemoveAll(filepath.Join(checkout, "out")))
		compare(t, "again", shell(t, checkout, path, script, entries, "all"), all)
	}
}

func findTar(t *testing.T) string {
	t.Helper()
	tar, err := exec.LookPath("tar")
	must(t, err)
	return tar
}

// TestShellSnippetWithLongKey uses a key that is longer than a file name.
func TestShellSnippetWithLongKey(t *testing.T) {
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	script, err := filepath.Abs(filepath.Join(root, "docs/ci/same-ci.sh"))
	must(t, err)
	t.Setenv("CACHEKEY_DEFAULTS", `{"prefix":["`+strings.Repeat("p", 300)+`"]}`)
	path, entries := programs(t)+":"+os.Getenv("PATH"), filepath.Join(t.TempDir(), "entries")
	commit(t, origin, "a consumer", nil)
	for n, c := range rounds {
		round(t, origin, n)
		checkout := filepath.Join(t.TempDir(), "checkout")
		git(t, ".", "clone", "--quiet", "--depth=1", "file://"+origin, checkout)
		compare(t, c.name, shell(t, checkout, path, script, entries, "all"), c.tasks)
	}
	entriesAre(t, entries, 2)
}

func TestGitLabSnippet(t *testing.T) {
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	snippet, err := os.ReadFile(filepath.Join(root, "docs/ci/gitlab-ci.yml"))
	must(t, err)
	commit(t, origin, "a consumer", map[string]string{".gitlab-ci.yml": string(snippet)})
	git(t, origin, "remote", "add", "origin", "git@gitlab.example:OWNER/workspace.git")
	// gitlab-ci-local leaves its files and the jobs' in the repository, where the next
	// commit of this test would take them in. GitLab does not.
	must(t, os.WriteFile(filepath.Join(origin, ".git/info/exclude"), []byte(".gitlab-ci-*\nkey.*\n"), 0o644))
	runner, err := filepath.Abs("node_modules/.bin/gitlab-ci-local")
	must(t, err)
	path := programs(t) + ":" + os.Getenv("PATH")
	for n, c := range rounds {
		round(t, origin, n)
		// Only the cache remains after a job.
		must(t, os.RemoveAll(filepath.Join(origin, ".gitlab-ci-local/builds")))
		log := shell(t, origin, path, runner, "--shell-isolation", "--variable", "CI_DEFAULT_BRANCH=main")
		compare(t, c.name, log, c.tasks)
	}
}

func TestForgejoSnippet(t *testing.T) {
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	snippet, err := os.ReadFile(filepath.Join(root, "docs/ci/forgejo.yml"))
	must(t, err)
	commit(t, origin, "a consumer", map[string]string{".forgejo/workflows/ci.yml": string(snippet)})
	h := newHub(t, origin, uses(t, origin)...)
	h.extra["PATH"] = programs(t) + ":" + os.Getenv("PATH")
	for n, c := range rounds {
		round(t, origin, n)
		r := h.run(t, event{workflow: ".forgejo/workflows/ci.yml"})
		if r.jobs["same"] != "success" {
			t.Fatalf("%s: the job ended as %v", c.name, r.jobs)
		}
		compare(t, c.name, r.output("same", "Run the tasks"), c.tasks)
	}
	if keys := h.keys(t); len(keys) != 2 {
		t.Errorf("the entries are %q", keys)
	}
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// shell runs a program in dir with this PATH, and returns what it prints without escapes.
func shell(t *testing.T, dir, path, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+path)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	log := escapes.ReplaceAllString(out.String(), "")
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, log)
	}
	return log
}
