package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// A stage is where commands are run.
type stage struct {
	repository, workspace string
	env                   []string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	base := t.TempDir()
	s := &stage{repository: filepath.Join(base, "repository"), workspace: filepath.Join(base, "workspace")}
	s.env = environment(t, base)
	do := func(dir, script string) {
		t.Helper()
		cmd := exec.Command("bash", "-euc", script)
		cmd.Dir, cmd.Env = dir, s.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s\n%v\n%s", script, err, out)
		}
	}
	copyRepository(t, s.repository)
	do(s.repository, `mkdir "$BIN" && go build -o "$BIN" ./tools/...`)
	do(s.repository, `git init -q && git add -A . && git commit -q -m "as it is now"`)
	archive, err := txtar.ParseFile("testdata/workspace.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if err := txtar.Write(archive, s.workspace); err != nil {
		t.Fatal(err)
	}
	do(s.workspace, `git init -q && git add -A . && git commit -q -m "a workspace"
		same run --ci all
		cachekey key --json > after.json`)
	return s
}

// copyRepository copies the files of the work tree. The test itself reads them, so
// that a change of any file invalidates a cached test result.
func copyRepository(t *testing.T, to string) {
	t.Helper()
	listed, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		from, to := filepath.Join(root, name), filepath.Join(to, name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		var data []byte
		if err == nil && info.Mode().IsRegular() {
			if data, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(to, data, info.Mode().Perm())
			}
		} else if err == nil {
			var target string
			if target, err = os.Readlink(from); err == nil {
				err = os.Symlink(target, to)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// directory makes a copy of the stage for a page, and returns its path.
func (s *stage) directory(t *testing.T, p page) string {
	from := s.repository
	if isReference(p.path) {
		from = s.workspace
	}
	dir := filepath.Join(t.TempDir(), filepath.Base(from))
	if out, err := exec.Command("cp", "-R", from, dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	return dir
}

// environment returns the environment of a user without configuration: the two
// programs on PATH, a home that is empty except for Go's caches, no variables of CI.
func environment(t *testing.T, base string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return regexp.MustCompile(`^(GIT_|NIX_|XDG_|GITHUB_|LC_|LANG|CI|CACHEKEY|SAME|PATH=|HOME=)`).MatchString(v)
	})
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	bin, home := filepath.Join(base, "bin"), filepath.Join(base, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	return append(env,
		"BIN="+bin, "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+home,
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=Someone",
		"GIT_CONFIG_KEY_1=user.email", "GIT_CONFIG_VALUE_1=someone@example.org",
		"GITHUB_OUTPUT="+filepath.Join(base, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(base, "summary"),
		// No command on a page needs a Nix to compare with: ./test must not download one.
		"CACHEKEY_TEST_NIX=none", "CACHEKEY_TEST_NIX_OLDEST=none")
}
