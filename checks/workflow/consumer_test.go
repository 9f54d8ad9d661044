package workflow

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// pin is the commit by which the consumer pins our actions.
const pin = "0123456789012345678901234567890123456789"

// consumer creates a repository that uses the actions and the reusable workflow of
// this one, and a hub that serves both.
func consumer(t *testing.T) (origin string, h *hub) {
	t.Helper()
	origin = filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	commit(t, origin, "a consumer", nil)

	published := thisRepository(t)
	// Contexts of GitHub that act does not have: the repository and commit of the workflow.
	called := filepath.Join(published, ".github/workflows/same.yml")
	text, err := os.ReadFile(called)
	must(t, err)
	for context, value := range map[string]string{"job.workflow_repository": "OWNER/cachekey", "job.workflow_sha": pin} {
		if !strings.Contains(string(text), context) {
			t.Fatalf("same.yml does not use %s", context)
		}
		text = []byte(strings.ReplaceAll(string(text), context, "'"+value+"'"))
	}
	must(t, os.WriteFile(called, text, 0o644))

	h = newHub(t, origin, uses(t, published)...)
	h.doubles["OWNER/cachekey@"+pin] = published
	h.extra["HARNESS_PUBLISHED"] = published
	h.extra["HARNESS_PUBLISHED_SHA"] = pin
	return origin, h
}

// releases serves the files that release.yml would publish as v0.0.1, and returns its
// address.
func releases(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build, err := filepath.Abs(filepath.Join(root, ".github/build-release.sh"))
	must(t, err)
	command(t, ".", build, "v0.0.1", filepath.Join(dir, "v0.0.1"), runtime.GOOS+"/"+runtime.GOARCH)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL
}

// programs builds cachekey and same, and returns their directory.
func programs(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bin")
	must(t, os.Mkdir(bin, 0o755))
	command(t, root, "go", "build", "-o", bin, "./tools/cachekey", "./tools/same")
	return bin
}

func TestActionsInAnotherRepository(t *testing.T) {
	origin, h := consumer(t)
	url := releases(t)
	push := func(secret string, payload map[string]any) *run {
		t.Helper()
		e := event{
			workflow: ".github/workflows/actions.yml", payload: payload,
			vars:    []string{"FROM=release", "VERSION=v0.0.1", "DIGEST=", "RELEASES=" + url},
			secrets: []string{"SEAL_KEY=" + secret},
		}
		if payload != nil {
			e.name = "pull_request"
		}
		return h.run(t, e)
	}
	want := func(name string, r *run, job, saved string, outputs ...string) {
		t.Helper()
		if r.jobs["build"] != job {
			t.Fatalf("%s: the job ended as %q", name, r.jobs["build"])
		}
		printed := r.output("build", "Outputs") + r.output("build", "Saved")
		for _, line := range append(outputs, "saved="+saved) {
			if !strings.Contains(printed, line+"\n") {
				t.Errorf("%s: no %q in\n%s", name, line, printed)
			}
		}
	}
	const secret = "correct horse battery"

	first := push(secret, nil)
	want("a first run", first, "success", "true", "cache-hit=false", "hit-kind=none")
	if got := strings.TrimSpace(first.output("build", "Result")); got != "3" {
		t.Errorf("the tasks made %q", got)
	}
	keys := h.keys(t)
	// prefix, schema, the digest of the two extras, and then the system
	if len(keys) != 1 || !regexp.MustCompile(`^consumer-v1-[0-9a-z]{32}-`+runnerSystem()+`-`).MatchString(keys[0]) {
		t.Fatalf("the entries are %q", keys)
	}
	if printed := first.output("build", "Outputs"); !strings.Contains(printed, "key="+keys[0]+"\n") ||
		!strings.Contains(printed, "paths=.same/store\n.same/cache\n.same/seal.json\n") {
		t.Errorf("the outputs are\n%s", printed)
	}
	h.carriesOnlyWhatItMay(t, h.entries(t)[0])

	want("the same commit", push(secret, nil), "success", "false", "cache-hit=true", "hit-kind=exact")
	// An empty secret counts as unset: the digests are still checked.
	want("a fork's run", push("", pull("MALLORY/workspace")), "success", "false", "hit-kind=exact")

	commit(t, origin, "more words", map[string]string{"src/words.txt": "fig\ndate\n"})
	partial := push(secret, nil)
	want("a changed source", partial, "success", "true", "cache-hit=false", "hit-kind=partial")
	if got := partial.tasks("build"); got["sorted"] != "ran" || got["counted"] != "ran" || got["checked"] != "cached" {
		t.Errorf("after a changed source: %v", got)
	}
	if got := strings.TrimSpace(partial.output("build", "Result")); got != "2" {
		t.Errorf("the tasks made %q", got)
	}

	commit(t, origin, "red", map[string]string{"src/rules.txt": "none\n"})
	saved := len(h.keys(t))
	want("a failed job", push(secret, nil), "failure", "false", "hit-kind=partial")
	if got := h.keys(t); len(got) != saved {
		t.Errorf("a red job saved %q", got[saved:])
	}

	// An entry that was sealed with another secret is dropped.
	want("another secret", push("another secret of the job", nil), "failure", "false", "hit-kind=none")

	git(t, origin, "revert", "--no-edit", "HEAD")
	entries := h.entries(t)
	h.tamper(t, entries[len(entries)-1], func(dir string) {
		must(t, os.Mkdir(filepath.Join(dir, "src"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "src/more.txt"), []byte("came with the archive\n"), 0o644))
	})
	changed := push(secret, nil)
	if got := changed.output("build", "Restore"); changed.jobs["build"] != "failure" || len(changed.tasks("build")) != 0 || !strings.Contains(got, `"src/more.txt"`) {
		t.Errorf("an entry with another file: job %q, tasks %v\n%s", changed.jobs["build"], changed.tasks("build"), got)
	}
}

// TestWorkspaceBelowRunnerDirectory runs in a checkout below GITHUB_WORKSPACE, where the
// cache client resolves paths, with a flake and workspace below the checkout.
func TestWorkspaceBelowRunnerDirectory(t *testing.T) {
	path := programs(t) + ":" + os.Getenv("PATH")
	for _, c := range []struct{ checkout, below string }{{"repo", ""}, {".", "sub"}} {
		directory := filepath.Join(c.checkout, c.below)
		t.Run(directory, func(t *testing.T) {
			origin, h := consumer(t)
			h.extra["PATH"] = path
			if c.below != "" {
				must(t, os.Mkdir(filepath.Join(origin, c.below), 0o755))
				for _, name := range []string{"flake.nix", "flake.lock", "same.yaml", "src", ".gitignore"} {
					must(t, os.Rename(filepath.Join(origin, name), filepath.Join(origin, c.below, name)))
				}
				commit(t, origin, "below the root", nil)
			}
			e := event{workflow: ".github/workflows/below.yml", vars: []string{"CHECKOUT=" + c.checkout, "DIRECTORY=" + directory}}
			ran := map[string]string{"sorted": "ran", "counted": "ran", "checked": "ran"}
			cached := map[string]string{"sorted": "cached", "counted": "cached", "checked": "cached"}
			changed := map[string]string{"sorted": "ran", "counted": "ran", "checked": "cached"}
			for n, want := range []struct {
				hit     string
				tasks   map[string]string
				entries int
			}{{"none", ran, 1}, {"exact", cached, 1}, {"partial", changed, 2}} {
				if want.hit == "partial" {
					commit(t, origin, "more words", map[string]string{filepath.Join(c.below, "src/words.txt"): "fig\ndate\n"})
				}
				r := h.run(t, e)
				if r.jobs["build"] != "success" || r.hit("build") != want.hit {
					t.Fatalf("run %d: job %q with the hit %q, want %q", n+1, r.jobs["build"], r.hit("build"), want.hit)
				}
				if got := r.tasks("build"); !maps.Equal(got, want.tasks) {
					t.Errorf("run %d: tasks %v, want %v", n+1, got, want.tasks)
				}
				if got := h.keys(t); len(got) != want.entries {
					t.Errorf("run %d: got the entries %q, want %d", n+1, got, want.entries)
				}
			}
		})
	}
}

func TestActionInstallSources(t *testing.T) {
	_, h := consumer(t)
	h.needNix(t)
	published := h.extra["HARNESS_PUBLISHED"]
	for _, c := range []struct{ from, flake, path string }{
		{"flake", "git+file://" + published, os.Getenv("HARNESS_NIX_BIN")},
		{"path", "", programs(t)},
	} {
		t.Run(c.from, func(t *testing.T) {
			h.extra["PATH"] = c.path + ":" + os.Getenv("PATH")
			r := h.run(t, event{
				workflow: ".github/workflows/actions.yml",
				vars:     []string{"FROM=" + c.from, "FLAKE=" + c.flake},
			})
			if r.jobs["build"] != "success" {
				t.Fatal("the job failed")
			}
			if printed := r.output("build", "Restore"); !strings.Contains(printed, fmt.Sprintf("from its %s:", c.from)) {
				t.Errorf("the output does not name the source:\n%s", printed)
			}
		})
	}
}

func TestReusableWorkflow(t *testing.T) {
	origin, h := consumer(t)
	h.needNix(t)
	vars := []string{"FROM=release", "VERSION=v0.0.1", "RELEASES=" + releases(t)}
	for n, want := range []struct {
		kind  string
		tasks string
	}{{"none", "ran"}, {"exact", "cached"}, {"partial", "cached"}} {
		if n == 2 {
			commit(t, origin, "a text", map[string]string{"NEWS": "nothing that a task reads\n"})
		}
		r := h.run(t, event{workflow: ".github/workflows/reusable.yml", vars: vars})
		if r.jobs["after"] != "success" {
			t.Fatalf("run %d ended as %v", n+1, r.jobs)
		}
		if printed := r.output("after", "Outputs"); !strings.Contains(printed, "hit-kind="+want.kind+"\n") || !strings.Contains(printed, "key=same-v1-") {
			t.Errorf("run %d: outputs\n%s", n+1, printed)
		}
		tasks := r.tasks("same")
		if len(tasks) != 3 {
			t.Errorf("run %d: tasks %v", n+1, tasks)
		}
		for task, got := range tasks {
			if got != want.tasks {
				t.Errorf("run %d: %s %s, want %s", n+1, task, got, want.tasks)
			}
		}
		if got := h.keys(t); len(got) != 1 {
			t.Errorf("run %d: the entries are %q", n+1, got)
		}
	}
}

// TestRunnerThatNeverSkipsFails checks that a runner that runs tasks which its
// plan called cached fails the job.
func TestRunnerThatNeverSkipsFails(t *testing.T) {
	origin, h := consumer(t)
	h.needNix(t)
	bin := programs(t)
	h.extra["PATH"] = bin + ":" + os.Getenv("PATH")
	e := event{workflow: ".github/workflows/reusable.yml", vars: []string{"FROM=path"}}
	if first := h.run(t, e); first.jobs["same"] != "success" {
		t.Fatalf("the first run ended as %v", first.jobs)
	}
	must(t, os.Rename(filepath.Join(bin, "same"), filepath.Join(bin, "same.real")))
	never := "#!/bin/sh\nif [ \"$1\" = run ]; then shift; set -- run --no-cache \"$@\"; fi\nexec \"$0.real\" \"$@\"\n"
	must(t, os.WriteFile(filepath.Join(bin, "same"), []byte(never), 0o755))
	commit(t, origin, "a text", map[string]string{"NEWS": "nothing that a task reads\n"})
	second := h.run(t, e)
	if printed := second.output("same", "Run the tasks"); second.jobs["same"] != "failure" || !strings.Contains(printed, "sorted") {
		t.Errorf("the job ended as %v:\n%s", second.jobs, printed)
	}
	if got := h.keys(t); len(got) != 1 {
		t.Errorf("it saved %q", got[1:])
	}
}
