package workflow

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A fakeJob runs the actions' scripts with a cachekey that logs its calls, one
// argument per line.
type fakeJob struct{ dir, log string }

func newFakeJob(t *testing.T) *fakeJob {
	t.Helper()
	dir := t.TempDir()
	j := &fakeJob{dir, filepath.Join(dir, "calls")}
	must(t, os.MkdirAll(filepath.Join(dir, "cachekey"), 0o755))
	must(t, os.WriteFile(j.document("K"), nil, 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	fake := `#!/bin/sh
{ printf '%s\n' "$@"; [ -z "${CACHEKEY_SEAL_KEY-}" ] || echo "with the secret"; echo; } >>"$RUNNER_TEMP/calls"
[ "$1" != "$FAILING" ] || exit 1
if [ "$1" = key ]; then echo K; : >"$RUNNER_TEMP/cachekey/computed.json"; fi
`
	must(t, os.WriteFile(filepath.Join(dir, "bin/cachekey"), []byte(fake), 0o755))
	return j
}

// document returns the file of the document of a key.
func (j *fakeJob) document(key string) string {
	return filepath.Join(j.dir, "cachekey", fmt.Sprintf("%x.json", sha256.Sum256([]byte(key))))
}

// run runs a script of the actions, and returns what it prints and its outputs.
func (j *fakeJob) run(t *testing.T, script string, env ...string) (printed, outputs string, err error) {
	t.Helper()
	path, absErr := filepath.Abs(filepath.Join(root, script))
	must(t, absErr)
	cmd := exec.Command("bash", path)
	cmd.Dir = j.dir
	cmd.Env = append([]string{
		"PATH=" + filepath.Join(j.dir, "bin") + ":" + os.Getenv("PATH"),
		"RUNNER_TEMP=" + j.dir, "GITHUB_OUTPUT=" + filepath.Join(j.dir, "output"),
	}, env...)
	out, err := cmd.CombinedOutput()
	set, _ := os.ReadFile(filepath.Join(j.dir, "output"))
	return string(out), string(set), err
}

// TestInputsBecomeFlags compares the calls of cachekey with the actions' inputs.
func TestInputsBecomeFlags(t *testing.T) {
	inputs := []string{
		"INPUT_DIRECTORY=a dir", "INPUT_PREFIX=p", "INPUT_MAX_SIZE=5MB",
		"INPUT_LOCKS=*.lock\n\nb $HOME.lock", "INPUT_TASK_FILES=t.yaml", "INPUT_EXTRA=one=1\ntwo=`id`\n",
		"INPUT_NAR_HASH=sha256-x", "INPUT_ALLOW_MISSING=true",
		"KEY=K", "MATCHED_KEY=K-old", "CACHEKEY_SEAL_KEY=a secret of many bytes",
	}
	common := []string{"--directory", "a dir", "--prefix", "p", "--lock", "*.lock", "--lock", "b $HOME.lock",
		"--task-file", "t.yaml", "--extra", "one=1", "--extra", "two=`id`", "--nar-hash", "sha256-x", "--allow-missing"}
	keyFlags := []string{"--github", "--json-file", "RUNNER_TEMP/cachekey/computed.json"}
	const secret = "with the secret"
	for _, c := range []struct {
		name, script string
		env          []string
		calls        [][]string
	}{
		{"all inputs", "action/key.sh", inputs[:len(inputs)-1], [][]string{slices.Concat([]string{"key"}, common, keyFlags)}},
		{"no input", "action/key.sh", nil, [][]string{slices.Concat([]string{"key", "--directory", "."}, keyFlags)}},
		{"false", "action/key.sh", []string{"INPUT_ALLOW_MISSING=false"}, [][]string{slices.Concat([]string{"key", "--directory", "."}, keyFlags)}},
		// The secret is for verify and seal only.
		{"a hit", "action/verify.sh", inputs, [][]string{
			slices.Concat([]string{"verify"}, common, []string{"--key-file", "DOCUMENT", "--matched-key", "K-old", "--github", secret}),
			{"realise", "--directory", "a dir"},
		}},
		// Then the files in .same came with the checkout.
		{"a miss", "action/verify.sh", []string{"KEY=K", "MATCHED_KEY="}, [][]string{
			{"verify", "--directory", ".", "--key-file", "DOCUMENT", "--github"},
			{"realise", "--directory", "."},
		}},
		{"all inputs", "save/seal.sh", inputs, [][]string{
			{"prune", "--directory", "a dir", "--max-size", "5MB"},
			{"seal", "--directory", "a dir", "--key-file", "DOCUMENT", secret},
		}},
		{"no input", "save/seal.sh", []string{"INPUT_DIRECTORY=.", "INPUT_MAX_SIZE=", "KEY=K"}, [][]string{
			{"prune", "--directory", "."},
			{"seal", "--directory", ".", "--key-file", "DOCUMENT"},
		}},
	} {
		t.Run(c.script+" "+c.name, func(t *testing.T) {
			j := newFakeJob(t)
			if printed, _, err := j.run(t, c.script, c.env...); err != nil {
				t.Fatalf("%v\n%s", err, printed)
			}
			var want strings.Builder
			for _, call := range c.calls {
				want.WriteString(strings.Join(call, "\n") + "\n\n")
			}
			calls, _ := os.ReadFile(j.log)
			got := strings.NewReplacer(j.document("K"), "DOCUMENT", j.dir, "RUNNER_TEMP").Replace(string(calls))
			if got != want.String() {
				t.Errorf("cachekey was called with\n%swant\n%s", got, want.String())
			}
		})
	}
}

// TestCacheErrorsDoNotFailBuild makes one command of cachekey fail. A problem of the
// cache is a notice; a changed tree, which verify reports, is an error.
func TestCacheErrorsDoNotFailBuild(t *testing.T) {
	for _, c := range []struct {
		script, failing string
		red             bool
		outputs         string
	}{
		{"save/seal.sh", "", false, "sealed=true\n"},
		{"save/seal.sh", "prune", false, "sealed=false\n"},
		{"save/seal.sh", "seal", false, "sealed=false\n"},
		{"action/verify.sh", "realise", false, "hit-kind=none\ncache-hit=false\n"},
		{"action/verify.sh", "verify", true, "hit-kind=none\ncache-hit=false\n"},
		{"action/key.sh", "key", true, ""},
	} {
		t.Run(c.script+" "+c.failing, func(t *testing.T) {
			printed, outputs, err := newFakeJob(t).run(t, c.script, "FAILING="+c.failing, "KEY=K", "MATCHED_KEY=", "INPUT_DIRECTORY=.", "INPUT_MAX_SIZE=")
			if (err != nil) != c.red {
				t.Errorf("got %v, want an error: %v\n%s", err, c.red, printed)
			}
			if notice := strings.Contains(printed, "::notice title=cachekey::"); notice != (c.failing != "" && !c.red) {
				t.Errorf("a notice is printed: %v\n%s", notice, printed)
			}
			if outputs != c.outputs {
				t.Errorf("got the outputs %q, want %q", outputs, c.outputs)
			}
		})
	}
}

// TestMatchedKeyIsOneLine checks that the answer of the cache server cannot print a
// line of its own.
func TestMatchedKeyIsOneLine(t *testing.T) {
	printed, _, err := newFakeJob(t).run(t, "action/verify.sh", "KEY=K", "MATCHED_KEY=K\n::error::forged")
	if err != nil || strings.Contains("\n"+printed, "\n::") {
		t.Errorf("got %v, printed\n%s", err, printed)
	}
}

// TestSummaryUsesKeyOfJob runs the actions' scripts twice with inputs
// that select another key than the default one, which is also longer than a file name.
func TestSummaryUsesKeyOfJob(t *testing.T) {
	path := programs(t) + ":" + os.Getenv("PATH")
	origin := filepath.Join(t.TempDir(), "consumer")
	must(t, os.CopyFS(origin, os.DirFS("testdata/consumer")))
	commit(t, origin, "a consumer", nil)
	var carried, key string
	for _, want := range []string{"Nothing was restored.", "Restored from exactly this key, `" + strings.Repeat("p", 300) + "-v1-"} {
		dir := t.TempDir()
		checkout, outputs := filepath.Join(dir, "checkout"), filepath.Join(dir, "outputs")
		git(t, ".", "clone", "--quiet", "--depth=1", "file://"+origin, checkout)
		if carried != "" {
			for _, name := range []string{"store", "seal.json"} {
				command(t, ".", "mkdir", "-p", filepath.Join(checkout, ".same"))
				command(t, ".", "cp", "-R", filepath.Join(carried, ".same", name), filepath.Join(checkout, ".same", name))
			}
		}
		env := []string{
			"INPUT_EXTRA=job=test", "INPUT_PREFIX=" + strings.Repeat("p", 300), "INPUT_LOCKS=flake.*", "INPUT_DIRECTORY=.",
			"INPUT_TASKS=all", "INPUT_DEVELOP=false", "INPUT_MAX_SIZE=", "MATCHED_KEY=" + key,
			"RUNNER_TEMP=" + dir, "GITHUB_OUTPUT=" + outputs, "GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary"),
			"PATH=" + path, "HOME=" + dir,
		}
		for _, script := range []string{"action/key.sh", "action/verify.sh", "action/run.sh", "save/seal.sh"} {
			file, err := filepath.Abs(filepath.Join(root, script))
			must(t, err)
			cmd := exec.Command("bash", file)
			cmd.Dir = checkout
			cmd.Env = env
			var stderr strings.Builder
			cmd.Stderr = &stderr
			printed, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v\n%s%s", script, err, printed, stderr.String())
			}
			if script == "action/key.sh" {
				key = strings.TrimSpace(string(printed))
				env = append(env, "KEY="+key)
			}
		}
		summary, err := os.ReadFile(filepath.Join(dir, "summary"))
		must(t, err)
		if !strings.Contains(string(summary), want) {
			t.Errorf("no %q in the summary:\n%s", want, summary)
		}
		carried = checkout
	}
}

// TestRunNeedsTask checks that naming no task is an error, rather than a green job
// without a task.
func TestRunNeedsTask(t *testing.T) {
	cmd := exec.Command("bash", filepath.Join(root, "action/run.sh"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "INPUT_TASKS= \n", "INPUT_DEVELOP=false", "INPUT_DIRECTORY=.", "RUNNER_TEMP=" + t.TempDir()}
	if printed, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(printed), "::error title=cachekey::`tasks` names no task") {
		t.Errorf("got %v, printed %q", err, printed)
	}
}
