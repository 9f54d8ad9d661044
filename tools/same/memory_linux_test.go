package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A cost is the resource usage of a process.
type cost struct {
	Peak int64         // MiB of memory
	CPU  time.Duration // of user and system
}

// measureVariable makes the test binary measure the program that it names, and print
// the cost. A process whose parent is large counts that as its own peak, so the tests
// start one in between.
const measureVariable = "MEASURE_SAME"

func init() {
	if program := os.Getenv(measureVariable); program != "" {
		measureMain(program)
	}
}

// measureMain runs a program with the arguments of this process, and prints its cost
// on stdout.
func measureMain(program string) {
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stderr = os.Stderr
	_ = cmd.Run()
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	json.NewEncoder(os.Stdout).Encode(cost{usage.Maxrss >> 10, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()})
	os.Exit(0)
}

// plainPrograms returns a directory with same and cachekey, without the race detector
// and without coverage, which take many times the time and memory.
var plainPrograms = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "plain-programs-")
	if err != nil {
		return "", err
	}
	cleanup = func() { os.RemoveAll(dir) }
	build := exec.Command("go", "build", "-o", dir, ".", "../cachekey")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

// measure runs same in dir.
func measure(t *testing.T, dir string, args ...string) (c cost, stderr string) {
	t.Helper()
	return measureProgram(t, dir, "same", args...)
}

func measureProgram(t *testing.T, dir, program string, args ...string) (c cost, stderr string) {
	t.Helper()
	programs, err := plainPrograms()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Stderr = dir, &text
	cmd.Env = append(os.Environ(), measureVariable+"="+filepath.Join(programs, program), "GITHUB_ACTIONS=", "GITHUB_STEP_SUMMARY=/dev/null")
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, text.String()
}

// check fails t unless a hostile file cost at most 64 MiB and 2 s more than an
// ordinary one, and led to few messages.
func (c cost) check(t *testing.T, ordinary cost, stderr string) {
	t.Helper()
	if c.Peak > ordinary.Peak+64 || c.CPU > ordinary.CPU+2*time.Second {
		t.Errorf("got %d MiB in %v, want at most 64 MiB and 2s more than %d MiB in %v", c.Peak, c.CPU, ordinary.Peak, ordinary.CPU)
	}
	if len(stderr) > 100_000 {
		t.Errorf("printed %d bytes: %.500s", len(stderr), stderr)
	}
}

// longChain writes a workspace of n tasks that each read the target of the one
// before. Some read that of the first, and two name a pattern that matches targets.
func longChain(t *testing.T, dir string, n int) {
	t.Helper()
	const each = 1000 // tasks of a project
	var projects []string
	for first := 0; first < n; first += each {
		name := fmt.Sprintf("p%d", first/each)
		projects = append(projects, name)
		text := "version: \"1\"\nproject: " + name + "\ntasks:\n"
		for i := first; i < min(n, first+each); i++ {
			input, depends := "../src", ""
			if i > 0 {
				input = fmt.Sprintf("../p%d/out/%d", (i-1)/each, i-1)
				depends = fmt.Sprintf("p%d:t%d", (i-1)/each, i-1)
			}
			switch {
			case i > 0 && i%10 == 0:
				input += ", ../p0/out/0"
			case i == n/2 || i == n-1:
				input += ", out/*"
			}
			text += fmt.Sprintf("  t%d: {input: [%s], target: [out/%d], cmd: [a], dependsOn: [%s]}\n", i, input, i, depends)
		}
		write(t, filepath.Join(dir, name, "same.yaml"), text)
	}
	write(t, filepath.Join(dir, "src"), "")
	write(t, filepath.Join(dir, "same.work.yaml"), "version: \"1\"\nprojects: ["+strings.Join(projects, ", ")+"]\n")
}

// TestLongChain plans tasks in a chain: the memory of many is bounded, and four times
// as many tasks take at most six times as long.
func TestLongChain(t *testing.T) {
	const most = 20_000
	costs := map[int]cost{}
	for _, n := range []int{most / 4, most} {
		dir := t.TempDir()
		longChain(t, dir, n)
		c, stderr := measure(t, dir, "plan")
		if stderr != "" {
			t.Fatalf("%d tasks: printed %.1000s", n, stderr)
		}
		costs[n] = c
	}
	few, many := costs[most/4], costs[most]
	if many.CPU > 6*few.CPU+time.Second || many.Peak > 300 { // about 80 MiB live: see GOGC in main.go
		t.Errorf("%d tasks take %d MiB and %v, want at most 300 MiB and a second more than six times the %v of %d tasks", most, many.Peak, many.CPU, few.CPU, most/4)
	}
}
