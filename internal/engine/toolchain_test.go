package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cachekey/internal/manifest"
)

// TestToolchainLimits checks the limits on a toolchain command, and that no process
// that it starts outlives it.
func TestToolchainLimits(t *testing.T) {
	dir := t.TempDir()
	env := []string{"PATH=" + os.Getenv("PATH")}
	for _, c := range []struct{ script, want string }{
		{"echo 1.2.3", ""},
		{"sleep 60 & echo $! >child; wait", "it took longer than 500ms"},
		{"sleep 60 >/dev/null 2>&1 & echo $! >child; echo 1.2.3", ""},
		{"head -c 100000 /dev/zero", "it printed more than 64 KiB"},
		{"echo no such version >&2; exit 1", `exit status 1: "no such version"`},
	} {
		start := time.Now()
		_, err := outputOf(t.Context(), []string{"sh", "-c", c.script}, dir, env, 500*time.Millisecond)
		if got := fmt.Sprint(err); (err != nil || c.want != "") && got != c.want {
			t.Errorf("%s: got %q, want %q", c.script, got, c.want)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", c.script, took)
		}
		if child, err := os.ReadFile(filepath.Join(dir, "child")); err == nil {
			os.Remove(filepath.Join(dir, "child"))
			runs := func() bool {
				stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat")
				return err == nil && !strings.Contains(string(stat), ") Z ")
			}
			for end := time.Now().Add(10 * time.Second); runs(); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%s: its child still runs", c.script)
				}
			}
		}
	}
}

// TestOtherTasksMeanwhile runs a task whose toolchain command waits for what a later
// task makes: a task that waits for its toolchain does not keep others from running.
func TestOtherTasksMeanwhile(t *testing.T) {
	root := t.TempDir()
	text := "version: \"1\"\ntasks:\n" +
		"  a: {input: [], cmd: ['true']}\n" +
		"  b: {input: [], cmd: [touch, made], target: [made]}\n"
	if err := os.WriteFile(filepath.Join(root, "same.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ws, err := manifest.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	ws.Tasks[0].Toolchain = [][]string{{"sh", "-c", "until [ -e made ]; do sleep 0.01; done"}}
	c := Config{Workspace: ws, Jobs: 1, LookupEnv: os.LookupEnv, Report: &Lines{To: new(strings.Builder)}, Warnf: t.Errorf}
	if summary, err := c.Run(t.Context(), ws.Tasks); err != nil || summary.Ran != 2 {
		t.Errorf("got %+v, %v, want 2 that ran", summary, err)
	}
}

func TestToolchainKnown(t *testing.T) {
	const store = "/nix/store/52f5kjcmgmvgrz3rij676b3rjmgg5l5g-go-1.25.4/bin"
	command := []string{"go"}
	for _, c := range []struct {
		name string
		task manifest.Task
		path string
		want bool
	}{
		{"tools", manifest.Task{Command: command, Tools: map[string]string{"go": "go@1.25.4"}}, "/usr/bin", true},
		{"toolchain", manifest.Task{Command: command, Toolchain: [][]string{{"go", "version"}}}, "/usr/bin", true},
		{"toolchain of none", manifest.Task{Command: command, Toolchain: [][]string{}}, "/usr/bin", false},
		{"no command", manifest.Task{}, "/usr/bin", true},
		{"store", manifest.Task{Command: command}, store + ":" + store, true},
		{"nix develop", manifest.Task{Command: command}, store + ":/usr/bin", false},
		{"an empty entry, the working directory", manifest.Task{Command: command}, store + ":", false},
		{"out of the store", manifest.Task{Command: command}, "/nix/store/../../usr/bin", false},
		{"no PATH", manifest.Task{Command: command}, "", false},
		{"a PATH of its own", manifest.Task{Command: command, Env: map[string]string{"PATH": store}}, "/usr/bin", true},
		{"a PATH of its own, elsewhere", manifest.Task{Command: command, Env: map[string]string{"PATH": "bin"}}, store, false},
	} {
		s := &session{Config: Config{LookupEnv: func(string) (string, bool) { return c.path, true }}}
		if got := s.toolchainKnown(&c.task); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// BenchmarkToolchain measures a run of 300 tasks that are all cached, without a
// toolchain and with three commands. The commands may add what the slowest of them
// takes, 200 ms.
func BenchmarkToolchain(b *testing.B) {
	for _, toolchain := range []string{"[]", "[[sleep, '0.2'], [sleep, '0.1'], [sh, -c, 'sleep 0.15']]"} {
		b.Run(fmt.Sprintf("commands=%d", strings.Count(toolchain, "sleep")), func(b *testing.B) {
			root := b.TempDir()
			text := "version: \"1\"\ntoolchain: " + toolchain + "\ntasks:\n"
			for i := range 300 {
				text += fmt.Sprintf("  t%d: {input: [in%d], cmd: [sh, -c, 'echo %d']}\n", i, i, i)
				if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("in%d", i)), nil, 0o644); err != nil {
					b.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(root, "same.yaml"), []byte(text), 0o644); err != nil {
				b.Fatal(err)
			}
			run := func() Summary {
				ws, err := manifest.Load(root)
				if err != nil {
					b.Fatal(err)
				}
				c := Config{Workspace: ws, LookupEnv: os.LookupEnv, Report: &Lines{To: new(strings.Builder)}, Warnf: b.Errorf}
				summary, err := c.Run(context.Background(), ws.Tasks)
				if err != nil {
					b.Fatal(err)
				}
				return summary
			}
			run()
			for b.Loop() {
				if got := run(); got.Cached != 300 {
					b.Fatalf("got %+v, want 300 cached", got)
				}
			}
		})
	}
}
