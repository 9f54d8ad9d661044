package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Commands that a page shows and that are run elsewhere: where.
var runElsewhere = map[string]string{
	"./test": "../../.ci/run", // it runs this very test
}

// TestPages runs every command that these pages show, in a copy of this
// repository: what stands in ```sh blocks, and what stands after "$ " in an
// indented block. An indented block below either shows lines of the output;
// digests and the system may be others.
func TestPages(t *testing.T) {
	repository := copyOfRepository(t)
	for _, page := range []string{"README.md", "docs/faq.md"} {
		text, err := os.ReadFile(filepath.Join("../..", page))
		if err != nil {
			t.Fatal(err)
		}
		shown := commands(string(text))
		if len(shown) == 0 {
			t.Errorf("%s shows no command", page)
		}
		for _, s := range shown {
			t.Run(page+" "+strings.SplitN(s.script, "\n", 2)[0], func(t *testing.T) {
				t.Parallel()
				s.check(t, repository)
			})
		}
	}
}

// A shown is a script of a page, and the output that the page shows for it.
type shown struct {
	script string
	output []string // lines, one after the other, somewhere in the output
}

// commands reads a page.
func commands(page string) (all []shown) {
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		command, indented := strings.CutPrefix(lines[i], "    $ ")
		switch {
		case lines[i] == "```sh":
			var script []string
			for i++; lines[i] != "```"; i++ {
				script = append(script, lines[i])
			}
			all = append(all, shown{script: strings.Join(script, "\n")})
		case indented:
			all = append(all, shown{script: command})
		default:
			continue
		}
		// What is indented below is output.
		next := i + 1
		for next < len(lines) && lines[next] == "" {
			next++
		}
		for ; next < len(lines); next++ {
			line, indented := strings.CutPrefix(lines[next], "    ")
			if !indented || strings.HasPrefix(line, "$ ") {
				break
			}
			all[len(all)-1].output = append(all[len(all)-1].output, line)
			i = next
		}
	}
	return all
}

func (s shown) check(t *testing.T, repository string) {
	var script []string
	for line := range strings.Lines(s.script) {
		command, _, _ := strings.Cut(line, " #")
		where, elsewhere := runElsewhere[strings.TrimSpace(command)]
		if !elsewhere {
			script = append(script, strings.TrimSuffix(line, "\n"))
			continue
		}
		text, err := os.ReadFile(where)
		if err != nil || !strings.Contains(string(text), strings.TrimSpace(command)) {
			t.Errorf("%q is shown, and %s does not run it: %v", command, where, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "repository")
	if out, err := exec.Command("git", "clone", "-q", repository, dir).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	cmd := exec.Command("bash", "-euc", strings.Join(script, "\n"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), goCaches(t)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	// A diff that finds differences says so by its exit code.
	differs := strings.HasPrefix(script[len(script)-1], "cachekey diff")
	if exit := new(exec.ExitError); err != nil && !(differs && errors.As(err, &exit) && exit.ExitCode() == 1) {
		t.Fatalf("%s\n%v\n%s", s.script, err, out)
	}
	if len(out) == 0 {
		t.Errorf("%s\nprints nothing", s.script)
	}
	if got, want := anyDigest(string(out)), anyDigest(strings.Join(s.output, "\n")); !strings.Contains(got, want) {
		t.Errorf("%s\nprints\n%s\nin which this is not:\n%s", s.script, got, want)
	}
}

var (
	digest = regexp.MustCompile(`\b[0-9a-df-np-sv-z]{52}\b|\b[0-9a-df-np-sv-z]{32}\b`)
	system = regexp.MustCompile(`(x86_64|aarch64)-(linux|darwin)`)
)

func anyDigest(s string) string {
	return system.ReplaceAllString(digest.ReplaceAllString(s, "DIGEST"), "SYSTEM")
}

// goCaches names the user's caches to a go command that has no home.
func goCaches(t *testing.T) []string {
	var env []string
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS"} {
		cmd := exec.Command("go", "env", name)
		cmd.Env = append(os.Environ(), "HOME="+userHome)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSuffix(string(out), "\n"))
	}
	return env
}

// copyOfRepository commits this repository's files, as they are now, to a new
// one. Without git, as in Nix's sandbox, they are all that is there.
func copyOfRepository(t *testing.T) string {
	to := filepath.Join(t.TempDir(), "repository")
	for _, path := range repositoryFiles(t) {
		if err := copyFile(filepath.Join("../..", path), filepath.Join(to, path)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A", "."}, {"commit", "-q", "-m", "as it is now"}} {
		if out, err := exec.Command("git", append([]string{"-C", to}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	return to
}

func repositoryFiles(t *testing.T) (paths []string) {
	cmd := exec.Command("git", "-C", "../..", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if out, err := cmd.Output(); err == nil {
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel("../..", path)
		paths = append(paths, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// copyFile copies a file or a link; one that git lists and that is deleted is
// left out.
func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}
