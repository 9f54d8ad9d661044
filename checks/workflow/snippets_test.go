package workflow

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/ci.md offers to those who are not on GitHub is run as it stands, three
// times: from nothing, for the same commit, and for one with a changed source.
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

// said reads from a plain log which task ran and which was skipped.
func said(log string) map[string]string {
	r := &run{}
	for text := range strings.Lines(log) {
		at := strings.Index(text, "[")
		r.log = append(r.log, line{Raw: true, Msg: text[max(at, 0):]})
	}
	return r.tasks("")
}

func compare(t *testing.T, name, log string, want map[string]string) {
	t.Helper()
	got := said(log)
	for task, state := range want {
		if got[task] != state {
			t.Errorf("%s: %s is %q, want %q in\n%s", name, task, got[task], state, log)
		}
	}
}

func TestSnippetForAShell(t *testing.T) {
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
	if kept, _ := os.ReadDir(entries); len(kept) != 2 {
		t.Errorf("the entries are %v", kept)
	}
}

func TestSnippetForGitLab(t *testing.T) {
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	snippet, err := os.ReadFile(filepath.Join(root, "docs/ci/gitlab-ci.yml"))
	must(t, err)
	commit(t, origin, "a consumer", map[string]string{".gitlab-ci.yml": string(snippet)})
	git(t, origin, "remote", "add", "origin", "git@gitlab.example:OWNER/workspace.git")
	runner, err := filepath.Abs("node_modules/.bin/gitlab-ci-local")
	must(t, err)
	path := programs(t) + ":" + os.Getenv("PATH")
	for n, c := range rounds {
		round(t, origin, n)
		// Only the cache outlives a job.
		must(t, os.RemoveAll(filepath.Join(origin, ".gitlab-ci-local/builds")))
		log := shell(t, origin, path, runner, "--shell-isolation", "--variable", "CI_DEFAULT_BRANCH=main")
		compare(t, c.name, log, c.tasks)
	}
}

func TestSnippetForForgejo(t *testing.T) {
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

// shell runs a program in dir with that PATH and gives all that it prints, plain.
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
