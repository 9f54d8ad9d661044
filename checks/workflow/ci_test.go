package workflow

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nektos/act/pkg/artifactcache"
)

// needNix passes the Nix that run.sh set up to the runners.
func (h *hub) needNix(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HARNESS_NIX", "HARNESS_NIXPKGS", "HARNESS_NIX_BIN"} {
		v := os.Getenv(name)
		if v == "" {
			if os.Getenv("CACHEKEY_TEST_REQUIRE_NIX") != "" {
				t.Fatalf("%s is not set: run.sh sets it", name)
			}
			t.Skipf("%s is not set: run.sh sets it", name)
		}
		h.extra[name] = v
	}
}

// tasks returns how each task of the job ended, by its first line: a task that ran is
// skipped when a later step asks for it again.
func (r *run) tasks(job string) map[string]string {
	states := map[string]string{}
	for _, l := range r.log {
		m := status.FindStringSubmatch(strings.TrimRight(l.Msg, "\r\n"))
		if m == nil || !l.Raw || l.JobID != job {
			continue
		}
		if _, ok := states[m[1]]; !ok {
			states[m[1]] = map[string]string{"Skipped (Cached)": "cached", "Completed": "ran", "Failed": "failed"}[m[2]]
		}
	}
	return states
}

var status = regexp.MustCompile(`^\[([\w:-]+)\] (Skipped \(Cached\)|Completed|Failed)`)

var (
	allRan    = map[string]string{"generate": "ran", "test": "ran", "build": "ran"}
	allCached = map[string]string{"generate": "cached", "test": "cached", "build": "cached"}
)

func TestWorkflowRestoresCache(t *testing.T) {
	origin := thisRepository(t)
	h := newHub(t, origin, uses(t, origin)...)
	h.needNix(t)
	// expect runs the job for a push, and compares tasks, hit and number of new entries.
	expect := func(name string, tasks map[string]string, kind string, saved int) *run {
		t.Helper()
		before := h.keys(t)
		r := h.run(t, event{job: "workspace", matrix: []string{"system:x86_64-linux"}})
		if got := r.jobs["workspace"]; got != "success" {
			t.Fatalf("%s: job result %q", name, got)
		}
		if got := r.tasks("workspace"); !maps.Equal(got, tasks) {
			t.Errorf("%s: tasks %v, want %v", name, got, tasks)
		}
		if got := r.hit("workspace"); got != kind {
			t.Errorf("%s: hit %q, want %q", name, got, kind)
		}
		if got := h.keys(t)[len(before):]; len(got) != saved {
			t.Errorf("%s: saved %q, want %d entries", name, got, saved)
		}
		return r
	}

	first := expect("a first run", allRan, "none", 1)
	key := command(t, origin, filepath.Join(programs(t), "cachekey"))
	if got := h.keys(t); !slices.Equal(got, []string{key}) {
		t.Errorf("got the entry %q, want the key %q", got, key)
	}
	h.carriesOnlyWhatItMay(t, h.entries(t)[0])
	stepsInOrder(t, first)

	second := expect("the same commit", allCached, "exact", 0)
	if a, b := first.workspace(), second.workspace(); a == b {
		t.Errorf("both runs were in %q", a)
	}
	for _, step := range []string{"Prune and seal", "Save .same"} {
		if _, results := second.steps("workspace"); results[step] != "" && results[step] != "skipped" {
			t.Errorf("an exact hit has the step %q: %s", step, results[step])
		}
	}

	commit(t, origin, "one source", edit(t, origin, "bench/key/main.go", "package main", "// Another word.\npackage main"))
	expect("one source changed", map[string]string{"generate": "cached", "test": "ran", "build": "cached"}, "partial", 1)
	if k := h.keys(t); k[1] == k[0] || !strings.HasPrefix(k[1], key[:strings.LastIndexByte(key, '-')+1]) {
		t.Errorf("got the new entry %q, want one that differs from %q only in the tree", k[1], k[0])
	}
	h.carriesOnlyWhatItMay(t, h.entries(t)[1])

	commit(t, origin, "flake.lock", edit(t, origin, "flake.lock", `"lastModified": 1782918843`, `"lastModified": 1782918844`))
	expect("flake.lock changed", allRan, "none", 1)

	broken := map[string]string{"bench/broken_test.go": "package bench\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { t.Fatal(\"red\") }\n"}
	commit(t, origin, "red", broken)
	before := len(h.keys(t))
	red := h.run(t, event{job: "workspace", matrix: []string{"system:x86_64-linux"}})
	if got := red.tasks("workspace")["test"]; red.jobs["workspace"] != "failure" || got != "failed" {
		t.Errorf("the tests failed: job %q, task %q", red.jobs["workspace"], got)
	}
	if got := h.keys(t); len(got) != before {
		t.Errorf("a red job saved %q", got[before:])
	}

	git(t, origin, "revert", "--no-edit", "HEAD")
	expect("the reverted commit", allCached, "exact", 0)
	h.tamper(t, h.entries(t)[2], func(dir string) {
		appendTo(t, filepath.Join(dir, ".same/seal.json"), " ")
	})
	expect("a tampered seal", allRan, "none", 1)
	h.tamper(t, h.entries(t)[3], func(dir string) {
		blobs, err := filepath.Glob(filepath.Join(dir, ".same/store/blobs/*/*"))
		must(t, err)
		for _, blob := range blobs {
			appendTo(t, blob, "tampered")
		}
	})
	// The output of generate is in git, and is up to date.
	expect("tampered outputs", map[string]string{"generate": "cached", "test": "cached", "build": "ran"}, "partial", 1)

	commit(t, origin, "readme", edit(t, origin, "README.md", "# cachekey\n", "# cachekey.\n"))
	expect("only the README changed", allCached, "partial", 0)

	commit(t, origin, "one source again", edit(t, origin, "bench/key/main.go", "package main", "// A third word.\npackage main"))
	for _, repository := range []string{"MALLORY/workspace", "OWNER/workspace"} {
		saves := 0 // a fork never saves
		if repository == "OWNER/workspace" {
			saves = 1
		}
		before := len(h.keys(t))
		r := h.run(t, event{
			name: "pull_request", job: "workspace", matrix: []string{"system:x86_64-linux"}, payload: pull(repository),
		})
		if got := r.tasks("workspace"); r.jobs["workspace"] != "success" || got["test"] != "ran" {
			t.Errorf("a pull request from %s: %v, tasks %v", repository, r.jobs, got)
		}
		if got := h.keys(t)[before:]; len(got) != saves {
			t.Errorf("a pull request from %s saved %q, want %d entries", repository, got, saves)
		}
	}
}

// pull returns the payload of a pull request from a repository.
func pull(repository string) map[string]any {
	return map[string]any{
		"number": 7,
		"pull_request": map[string]any{
			"base": map[string]any{"ref": "main"},
			"head": map[string]any{"ref": "main", "repo": map[string]any{"full_name": repository}},
		},
	}
}

// TestTwoJobsKeepSeparateCaches runs two jobs with different tasks over one tree. Each
// has its own entry.
func TestTwoJobsKeepSeparateCaches(t *testing.T) {
	origin := thisRepository(t)
	// The linters are not tested here, and staticcheck takes minutes.
	commit(t, origin, "a quick lint", edit(t, origin, "same.yaml", `["bash", "test", "vet", "staticcheck", "deadcode"]`, `["bash", "test", "help"]`))
	h := newHub(t, origin, uses(t, origin)...)
	h.needNix(t)
	for n, want := range []string{"ran", "cached"} {
		for _, job := range []string{"workspace", "lint"} {
			r := h.run(t, event{job: job, matrix: []string{"system:x86_64-linux"}})
			if r.jobs[job] != "success" {
				t.Fatalf("round %d: %s: result %q", n, job, r.jobs[job])
			}
			for task, got := range r.tasks(job) {
				if got != want {
					t.Errorf("round %d: %s %s, want %s", n, task, got, want)
				}
			}
			if kind := map[string]string{"ran": "none", "cached": "exact"}[want]; r.hit(job) != kind {
				t.Errorf("round %d: %s: hit %q, want %q", n, job, r.hit(job), kind)
			}
		}
	}
	if keys := h.keys(t); len(keys) != 2 || keys[0] == keys[1] {
		t.Errorf("the entries are %q", keys)
	}
}

// hit returns the kind of hit that the job reports.
func (r *run) hit(job string) string {
	for _, l := range r.log {
		if kind, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(l.Msg), "cachekey: "), "hit: "); ok && l.Raw && l.JobID == job {
			return kind
		}
	}
	return ""
}

// carriesOnlyWhatItMay checks that an entry contains no files of the daemon or of
// .same/local, and no logs.
func (h *hub) carriesOnlyWhatItMay(t *testing.T, e artifactcache.Cache) {
	t.Helper()
	dir, files := h.unpacked(t, e)
	if len(files) < 3 {
		t.Errorf("%s has only %q", e.Key, files)
	}
	for _, file := range files {
		if !strings.HasPrefix(file, ".same/store/") && !strings.HasPrefix(file, ".same/cache/") && file != ".same/seal.json" {
			t.Errorf("%s carries %s", e.Key, file)
		}
		if info, err := os.Lstat(filepath.Join(dir, file)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s carries %s, which is not a regular file (%v)", e.Key, file, err)
		}
	}
	var seal struct{ Key struct{ Key string } }
	data, err := os.ReadFile(filepath.Join(dir, ".same/seal.json"))
	must(t, err)
	must(t, json.Unmarshal(data, &seal))
	if seal.Key.Key != e.Key {
		t.Errorf("%s has a seal for %q", e.Key, seal.Key.Key)
	}
}

// tamper changes the contents of an entry.
func (h *hub) tamper(t *testing.T, e artifactcache.Cache, change func(dir string)) {
	t.Helper()
	dir, _ := h.unpacked(t, e)
	change(dir)
	h.replace(t, e, dir)
}

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(text)
	must(t, err)
	must(t, f.Close())
}

// stepsInOrder compares the steps that ran with the order that ci.yml promises.
func stepsInOrder(t *testing.T, r *run) {
	t.Helper()
	names, results := r.steps("workspace")
	at := -1
	for _, name := range []string{"Key", "Restore .same", "Verify and realise", "Generate Go source files", "Run tests", "Prune and seal", "Save .same"} {
		next := slices.Index(names, name)
		if next <= at || results[name] != "success" {
			t.Errorf("step %q is at %d (%s) of %q", name, next, results[name], names)
		}
		at = next
	}
}
