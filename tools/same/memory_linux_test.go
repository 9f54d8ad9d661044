package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cachekey/internal/dotsame"
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

// plainSame returns the path of a same without the race detector and without coverage,
// which take many times the time and memory.
var plainSame = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "plain-same-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "same")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
})

func measure(t *testing.T, dir string, args ...string) (c cost, stderr string) {
	t.Helper()
	program, err := plainSame()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Stderr = dir, &text
	cmd.Env = append(os.Environ(), measureVariable+"="+program, "GITHUB_ACTIONS=")
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, text.String()
}

// A file is a text made of a start, a part that is repeated up to a size, and an end.
type file struct{ start, part, end string }

func (f file) write(t *testing.T, name string, size int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	to, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(to)
	w.WriteString(f.start)
	for n := len(f.start) + len(f.end) + len(f.part); n <= size; n += len(f.part) {
		w.WriteString(f.part)
	}
	w.WriteString(f.end)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
}

// hostileLists are JSON values that are much larger once they are decoded.
func hostileLists() map[string]file {
	return map[string]file{
		"zeros":          {"[", "0,", "0]"},
		"nulls":          {"[", "null,", "null]"},
		"lists":          {"[", "[],", "[]]"},
		"objects":        {"[", "{},", "{}]"},
		"strings":        {"[", `"",`, `""]`},
		"padded":         {"[", "{\"a\":1            },", "{}]"},
		"a string":       {`"`, "aaaaaaaa", `"`},
		"a number":       {"1", "11111111", "1"},
		"depth":          {"", "[", ""},
		"members":        {"{", `"":0,`, `"":0}`},
		"null members":   {"{", `"":null,`, `"":null}`},
		"object members": {"{", `"":{"":{}},`, `"":{}}`},
	}
}

// TestHostileFilesTakeNoMemory plans with hostile files from a cache or a checkout.
// None may take more than 64 MiB and 2 s more than an ordinary one of its size.
func TestHostileFilesTakeNoMemory(t *testing.T) {
	nixhub := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nixhub.Close)
	t.Setenv("SAME_NIXHUB", nixhub.URL)
	const size = 12 << 20
	hash := strings.Repeat("0", 64)
	tools := map[string]string{"go": "go@1.25.4"}
	info := func(field string, f file) file {
		return file{`{"task_name":"a","input_hash":"` + hash + `","schema":1,"` + field + `":` + f.start, f.part, f.end + "}\n"}
	}
	type row struct {
		name, path string
		file       file
		honest     file
		size       int
	}
	var rows []row
	add := func(name, path string, size int, honest file, f file) {
		rows = append(rows, row{name, path, f, honest, size})
	}
	honestInfo := info("outputs", file{"[", `{"path":"a/quite/ordinary/path","type":"file","size":12345,"mode":"0644","digest":"` + hash + `"},`, "{}]"})
	honestDepends := info("depends", file{"{", `"a":"` + hash + `",`, `"b":"` + hash + `"}`})
	for name, f := range hostileLists() {
		for _, field := range []string{"outputs", "inputs"} {
			add("build info: "+field+" of "+name, dotsame.InfoPath("a"), size, honestInfo, info(field, f))
		}
		for _, field := range []string{"depends", "timestamp"} {
			add("build info: "+field+" of "+name, dotsame.InfoPath("a"), size, honestDepends, info(field, f))
		}
		honest := file{"[", `"A=b",`, `"PATH=/nix/store"]`}
		add("environment: "+name, dotsame.EnvironmentPath(tools), 1<<20, honest, f)
		add("resolution: "+name, dotsame.NixhubPath("go", "1.25.4"), 1<<20, honest, file{`{"alias":"go","version":"1.25.4","systems":{"x86_64-linux":{"outputs":` + f.start, f.part, f.end + "}}}"})
		lock := func(f file) file {
			return file{`{"root":"root","version":7,"nodes":{"root":{"inputs":{"nixpkgs":"nixpkgs"}},"nixpkgs":{"locked":` + f.start, f.part, f.end + "}}}"}
		}
		honestLock := lock(file{"[", `"https://example.org/a/quite/ordinary/path",`, `""]`})
		add("flake.lock: locked of "+name, "flake.lock", 4<<20, honestLock, lock(f))
		add("flake.lock: nodes of "+name, "flake.lock", 4<<20, honestLock, file{`{"root":"root","version":7,"nodes":` + f.start, f.part, f.end + "}"})
		add("leftovers: "+name, dotsame.LeftoverPath("a"), size, honestInfo, f)
	}
	for name, f := range map[string]file{
		"members with names": {"{", "%", `"":null}`},
		"nodes":              {"{", "%", `"":{}}`},
	} {
		// Each member has a name of its own.
		var names strings.Builder
		part := map[string]string{"members with names": `"%06d":null,`, "nodes": `"%06d":{"":0},`}[name]
		for i := range 1_000_000 {
			fmt.Fprintf(&names, part, i)
		}
		f.part = names.String()
		add("build info: depends of "+name, dotsame.InfoPath("a"), 2*size, honestDepends, info("depends", f))
	}
	manifest := "version: \"1\"\ntools: {go: go@1.25.4, lib: nixpkgs#hello}\ntasks:\n" +
		"  a: {cmd: [\"true\"], target: [dist]}\n  b: {cmd: [\"true\"], tools: [go]}\n  c: {cmd: [\"true\"], tools: [lib]}\n"
	honest := map[string]cost{}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			run := func(f file) (cost, string) {
				dir := t.TempDir()
				for name, text := range map[string]string{"same.yaml": manifest, "flake.nix": "{ outputs = _: { }; }", "flake.lock": `{"nodes":{"root":{}},"root":"root","version":7}`} {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				f.write(t, filepath.Join(dir, r.path), r.size)
				task := "a"
				switch {
				case strings.Contains(r.path, "cache"):
					task = "b"
				case r.path == "flake.lock":
					task = "c"
				}
				if strings.HasPrefix(r.name, "leftovers") {
					return measure(t, dir, "run", "-n", task)
				}
				return measure(t, dir, "plan", task)
			}
			kind := fmt.Sprint(r.size, r.honest.start)
			base, ok := honest[kind]
			if !ok {
				base, _ = run(r.honest)
				honest[kind] = base
			}
			got, stderr := run(r.file)
			if got.Peak > base.Peak+64 || got.CPU > base.CPU+2*time.Second {
				t.Errorf("got %d MiB in %v, want at most 64 MiB and 2s more than %d MiB in %v", got.Peak, got.CPU, base.Peak, base.CPU)
			}
			if len(stderr) > 4000 {
				t.Errorf("printed %d bytes: %.500s", len(stderr), stderr)
			}
		})
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
	if many.CPU > 6*few.CPU+time.Second || many.Peak > 200 {
		t.Errorf("%d tasks take %d MiB and %v, want at most 200 MiB and a second more than six times the %v of %d tasks", most, many.Peak, many.CPU, few.CPU, most/4)
	}
}
