package nixenv

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program returns a shell script that stands in for one of Nix's programs.
func program(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "nix-store")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script), 0o777); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRunProgramReturnsOutput(t *testing.T) {
	dir := t.TempDir()
	out, err := RunProgram(context.Background(), dir, program(t, `pwd -P; echo "$NO_COLOR $*"; echo noise >&2`), "a", "b c")
	real, _ := filepath.EvalSymlinks(dir)
	if want := real + "\n1 a b c\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestRunProgramReturnsErrorText(t *testing.T) {
	cases := map[string]struct{ script, want string }{
		"an error":                   {`echo "error: no such path" >&2; exit 1`, "nix-store: no such path"},
		"no error":                   {"exit 3", "nix-store: exit status 3"},
		"too much output":            {`while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done | head -c 70000000`, "nix-store printed more than 64 MiB"},
		"an error after much output": {`head -c 1000000 /dev/zero | tr '\0' '\n' >&2; echo "error: the end" >&2; exit 1`, "nix-store: the end"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := RunProgram(context.Background(), t.TempDir(), program(t, c.script)); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestRunProgramWithoutNix(t *testing.T) {
	_, err := RunProgram(context.Background(), t.TempDir(), filepath.Join(t.TempDir(), "nix"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := RunProgram(context.Background(), t.TempDir(), "no-such-program-of-nix"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestRunProgramEndsWithContext checks that children of the program end too.
func TestRunProgramEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	began := filepath.Join(t.TempDir(), "began")
	why := errors.New("it took too long")
	go func() {
		for {
			time.Sleep(time.Millisecond)
			if _, err := os.Stat(began); err == nil {
				cancel(why)
				return
			}
		}
	}()
	// RunProgram returns before the sleep ends only if that is killed: it holds the pipes.
	_, err := RunProgram(ctx, t.TempDir(), program(t, `sleep 1000 & touch "$1"; wait`), began)
	if !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestErrorText(t *testing.T) {
	cases := map[string]struct{ stderr, want string }{
		"the cause is last": {"error:\n       … while calling the 'throw' builtin\n\n       error: attribute 'gox' missing\n       at «string»:1:1:\n", "attribute 'gox' missing at «string»:1:1:"},
		"a failed dependency": {"error: builder for '/nix/store/a.drv' failed with exit code 1;\n       last 1 log lines:\n       > boom\nerror: 1 dependencies of derivation '/nix/store/b.drv' failed to build\n",
			"builder for '/nix/store/a.drv' failed with exit code 1; last 1 log lines: > boom"},
		"only a failed dependency": {"error: 1 dependency of derivation 'b' failed to build\n", "1 dependency of derivation 'b' failed to build"},
		"no error at all":          {"warning: \x1b odd\n", "warning: \x1b odd"},
		"nothing":                  {"", ""},
		"what is long is cut":      {"error: " + strings.Repeat("é", 600), strings.Repeat("é", 500) + "…"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := errorText(c.stderr); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// A git that Nix starts in the checkout runs no program that the checkout's
// configuration names, fetches no objects, and keeps the settings of the environment.
func TestRunProgramConfiguresGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for _, args := range [][]string{{"init", "-q"}, {"config", "core.fsmonitor", "/evil"}, {"config", "core.hooksPath", "/evil"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "user.name")
	t.Setenv("GIT_CONFIG_VALUE_0", "ada")
	if got, err := RunProgram(t.Context(), dir, program(t, "echo $GIT_NO_LAZY_FETCH")); string(got) != "1\n" {
		t.Errorf("GIT_NO_LAZY_FETCH is %q, %v, want 1", got, err)
	}
	for setting, want := range map[string]string{"core.fsmonitor": "false\n", "core.hooksPath": "/dev/null\n", "user.name": "ada\n"} {
		got, err := RunProgram(t.Context(), dir, "git", "config", setting)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", setting, got, err, want)
		}
	}
}
