package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A hub stands in for GitHub for one repository, with nektos/act in host mode:
// events, runners and the cache service. Each run has its own directory. Only the
// cache is carried from one run to the next.
type hub struct {
	origin string // the repository that is pushed to
	cache  string // act's cache server's storage
	home   string // the runners' HOME: Go's caches in it are the machine's own
	extra  map[string]string

	doubles map[string]string // "owner/repo@ref" to the directory that stands in for it
	runs    int
}

// newHub returns a hub for the repository at origin. uses names the pinned actions
// that the repository's workflows call.
func newHub(t *testing.T, origin string, uses ...string) *hub {
	t.Helper()
	dir := t.TempDir()
	h := &hub{
		origin:  origin,
		cache:   filepath.Join(dir, "cache"),
		home:    filepath.Join(dir, "home"),
		extra:   map[string]string{},
		doubles: map[string]string{},
	}
	for link, target := range map[string]string{
		"go/pkg/mod":      goEnv(t, "GOMODCACHE"),
		".cache/go-build": goEnv(t, "GOCACHE"),
	} {
		at := filepath.Join(h.home, link)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.MkdirAll(target, 0o755))
		must(t, os.Symlink(target, at))
	}
	for _, use := range uses {
		h.double(t, use)
	}
	return h
}

// double replaces an action, at the ref that the workflow pins, by the directory of
// its name in doubles/.
func (h *hub) double(t *testing.T, use string) {
	t.Helper()
	action, _, _ := strings.Cut(use, "@")
	stand := filepath.Join(t.TempDir(), filepath.Base(action))
	must(t, os.CopyFS(stand, os.DirFS(filepath.Join("doubles", filepath.Base(action)))))
	modules, err := filepath.Abs("node_modules")
	must(t, err)
	if _, err := os.Stat(filepath.Join(modules, "@actions/cache")); err != nil {
		t.Fatalf("%v: run npm ci in checks/workflow first", err)
	}
	must(t, os.Symlink(modules, filepath.Join(stand, "node_modules")))
	h.doubles[use] = stand
}

// An event starts a run.
type event struct {
	name     string         // push unless given
	workflow string         // .github/workflows/ci.yml unless given
	job      string         // all jobs unless given
	matrix   []string       // "os:ubuntu-24.04": only these
	env      []string       // NAME=VALUE
	secrets  []string       // NAME=VALUE
	vars     []string       // NAME=VALUE
	payload  map[string]any // over the one that a push to the default branch has
}

// A run is the result of a run: its log, and how each job ended.
type run struct {
	log  []line
	jobs map[string]string // job's id to "success" or "failure"
	dir  string
}

// A line is a line of act's log, with its job and step.
type line struct {
	Job, JobID, Step, Stage string
	Matrix                  map[string]any
	StepResult, JobResult   string
	Raw                     bool `json:"raw_output"`
	Msg, Level              string
}

// platforms are the runner labels of our workflows. This machine stands in for each.
var platforms = []string{"ubuntu-24.04", "ubuntu-24.04-arm", "macos-15", "ubuntu-latest", "docker"}

// run runs the workflow for the event, in a directory of its own.
func (h *hub) run(t *testing.T, e event) *run {
	t.Helper()
	h.runs++
	dir, err := os.MkdirTemp(t.TempDir(), fmt.Sprintf("run-%d-", h.runs))
	must(t, err)
	if e.name == "" {
		e.name = "push"
	}
	if e.workflow == "" {
		e.workflow = ".github/workflows/ci.yml"
	}
	args := []string{
		e.name, "--json", "--rm", "--no-skip-checkout", "--action-offline-mode",
		"--directory", h.origin, "--workflows", filepath.Join(h.origin, e.workflow),
		"--eventpath", h.event(t, dir, e), "--defaultbranch", "main",
		// Jobs share a directory of actions, which each job rewrites.
		"--concurrent-jobs", "1",
		"--action-cache-path", filepath.Join(dir, "act"),
		"--cache-server-path", h.cache, "--cache-server-addr", "127.0.0.1",
		"--env", "HARNESS_ARTIFACTS=" + filepath.Join(dir, "artifacts"),
		"--env", "HARNESS_ORIGIN=" + h.origin,
		"--env", "GITHUB_REPOSITORY=OWNER/workspace",
	}
	if e.job != "" {
		args = append(args, "--job", e.job)
	}
	for _, p := range platforms {
		args = append(args, "--platform", p+"=-self-hosted")
	}
	for use, stand := range h.doubles {
		args = append(args, "--local-repository", use+"="+stand)
	}
	for _, m := range e.matrix {
		args = append(args, "--matrix", m)
	}
	for _, s := range e.secrets {
		args = append(args, "--secret", s)
	}
	for _, v := range e.vars {
		args = append(args, "--var", v)
	}
	for _, v := range e.env {
		args = append(args, "--env", v)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool(t, "github.com/nektos/act"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Dir = dir
	cmd.Env = append(h.environ(), "HOME="+h.home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := &run{jobs: map[string]string{}, dir: dir}
	for text := range strings.Lines(out.String()) {
		var l line
		if json.Unmarshal([]byte(text), &l) != nil {
			l = line{Msg: text}
		}
		r.log = append(r.log, l)
		if l.JobResult != "" {
			r.jobs[l.JobID] = l.JobResult
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run %d of %s: %v\n%s%s", h.runs, e.workflow, err, r.text(), errs.String())
		}
	})
	if len(r.jobs) == 0 {
		t.Fatalf("no job ran: %v", err)
	}
	return r
}

// environ returns the variables of this machine that runners have.
func (h *hub) environ() []string {
	kept := []string{"PATH", "USER", "LANG", "SSL_CERT_FILE", "NIX_SSL_CERT_FILE", "NIX_CONF_DIR"}
	// act runs every step on a terminal, which GitHub does not: no progress bars.
	env := []string{"TERM=dumb"}
	for _, name := range kept {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for name, v := range h.extra {
		env = append(env, name+"="+v)
	}
	return env
}

// event writes the payload of e, and returns its file.
func (h *hub) event(t *testing.T, dir string, e event) string {
	t.Helper()
	head := git(t, h.origin, "rev-parse", "HEAD")
	payload := map[string]any{
		"ref": "refs/heads/main", "after": head, "deleted": false,
		"repository": map[string]any{
			"default_branch": "main", "full_name": "OWNER/workspace", "name": "workspace",
			"owner": map[string]any{"login": "OWNER", "name": "OWNER"},
		},
	}
	for k, v := range e.payload {
		payload[k] = v
	}
	data, err := json.Marshal(payload)
	must(t, err)
	file := filepath.Join(dir, "event.json")
	must(t, os.WriteFile(file, data, 0o644))
	return file
}

// text returns the whole log.
func (r *run) text() string {
	var b strings.Builder
	for _, l := range r.log {
		if strings.HasPrefix(l.Msg, "LocalRepositoryCache ") {
			continue
		}
		mark := "|"
		if !l.Raw {
			mark = " "
		}
		fmt.Fprintf(&b, "%-24s %-28s %s %s\n", l.Job, l.Step, mark, strings.TrimRight(l.Msg, "\r\n"))
	}
	return b.String()
}

// output returns the output of the steps with this name in the job with this id.
func (r *run) output(job, step string) string {
	var b strings.Builder
	for _, l := range r.log {
		if l.Raw && l.JobID == job && l.Step == step {
			b.WriteString(strings.TrimRight(l.Msg, "\r\n") + "\n")
		}
	}
	return b.String()
}

// steps returns the names of the steps that ran in the job with this id, in order, and
// how they ended.
func (r *run) steps(job string) (names []string, results map[string]string) {
	results = map[string]string{}
	for _, l := range r.log {
		if l.StepResult == "" || l.Stage != "Main" || l.JobID != job {
			continue
		}
		if !slices.Contains(names, l.Step) {
			names = append(names, l.Step)
		}
		results[l.Step] = l.StepResult
	}
	return names, results
}

var runnersDirectory = regexp.MustCompile(`/\S*/hostexecutor`)

// workspace returns the directory that the jobs of the run worked in.
func (r *run) workspace() string { return runnersDirectory.FindString(r.text()) }
