package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
)

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
	left := (size - len(f.start) - len(f.end)) / len(f.part)
	many := max(1, 1<<16/len(f.part)) // a call for each would take long with the race detector
	parts := strings.Repeat(f.part, many)
	for ; left >= many; left -= many {
		w.WriteString(parts)
	}
	w.WriteString(strings.Repeat(f.part, max(0, left)))
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
			got.check(t, base, stderr)
		})
	}
}

// numbered returns a text of n lines, or other parts, that format makes of a number.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestHostileLogsTakeNoMemory reads logs, which come from outside too. None may take
// more than 64 MiB and 2 s more than an ordinary one of its size.
func TestHostileLogsTakeNoMemory(t *testing.T) {
	const (
		size = 60 << 20
		end  = "\n[a] Completed in 1.0s\n1 ran, 0 cached; took 1.0s\n"
	)
	cost := func(t *testing.T, f file) (cost, string) {
		dir := t.TempDir()
		f.write(t, filepath.Join(dir, "log"), size)
		return measureProgram(t, dir, "cachekey", "hits", "log")
	}
	ordinary, stderr := cost(t, file{"[a] Starting...\n", "[a] compiling a/quite/ordinary/file.go with the usual flags\n", end})
	if stderr != "" {
		t.Fatal(stderr)
	}
	many := numbered(99_000, "[%06d] Skipped (Cached)\n") + "0 ran, 99000 cached; took 1.0s\n"
	for name, f := range map[string]file{
		"colours":            {"", "\x1b[31m", ""},
		"coloured lines":     {"", "\x1b[31m\n", ""},
		"half a colour":      {"", "\x1b[31;1", ""},
		"half a link":        {"", "\x1b]8;;", ""},
		"links":              {"", "\x1b]8;;x\x07", ""},
		"escapes":            {"", "\x1b", ""},
		"escapes, in lines":  {"", "\x1b\n", ""},
		"no bytes":           {"", "\n", ""},
		"brackets":           {"", "[", ""},
		"brackets, in lines": {"", "[\n", ""},
		"lines of a task":    {"", "[a] \n", ""},
		"lines of no task":   {"", "[b] x\n", ""},
		"starts":             {"", "[a] Starting...\n", ""},
		"ends":               {"", "[a] Completed in 1s\n", ""},
		"long times":         {"[a] Completed in ", "1", "\n"},
		"durations":          {"[a] Completed in ", "1s", "\n"},
		"skips":              {"", "[a] ~ Cached\n", ""},
		"tabs":               {"", "\t", ""},
		"steps":              {"", "a\tb\t", ""},
		"times":              {"", "2026-11-25T19:00:00.1Z ", ""},
		"times, in lines":    {"", "2026-11-25T19:00:00.1Z \n", ""},
		"digits":             {"", "1", ""},
		"counts":             {end, "0 ran, 0 cached; took 0.0s\n", "[a] Starting...\n"},
		"counts after many":  {end + many, "0 ran, 0 cached; took 0.0s\n", "[a] Starting...\n"},
		"long counts":        {end, "0 ran, 0 cached, " + strings.Repeat("x", 60_000) + "; took 0.0s\n", "[a] Starting...\n"},
		"long half counts":   {end, "0 ran, 0 cached, 1 failed (" + strings.Repeat("x", 60_000) + "\n", "[a] Starting...\n"},
		"long names":         {"", numbered(99_000, "["+strings.Repeat("n", 240)+"%06d] Starting...\n"), ""},
		"too many names":     {"", numbered(1_000_000, "[%06d] Starting...\n"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.start, f.end = "[a] Starting...\n"+f.start, f.end+end
			got, stderr := cost(t, f)
			got.check(t, ordinary, stderr)
			if refused := strings.Contains(name, "names"); refused != (stderr != "") {
				t.Errorf("printed %q", stderr)
			}
		})
	}
}

// TestHostileDocumentsTakeNoMemory is the same for the JSON that cachekey reads: plans,
// key documents, the verdict of verify, and the files of a restored cache.
func TestHostileDocumentsTakeNoMemory(t *testing.T) {
	const size = 12 << 20
	const (
		start = `{"schema":"v1","key":"same-v1-x86_64-linux","prefix":"same","system":"x86_64-linux","narHash":"",`
		end   = `"ingredients":[{"name":"locks","digest":"0","files":[]},{"name":"tasks","digest":"","files":[]},{"name":"tree","digest":"","files":[]}],` +
			`"restoreKeys":[],"paths":[],"extra":{},"warnings":[]}`
	)
	before, after, _ := strings.Cut(start+end, "]")
	hash := strings.Repeat("0", 64)
	one := `{"path":"a/quite/ordinary/path","type":"f","digest":"` + hash + `"}`
	ordinaryFiles := file{before, one + ",", one + "]" + after}
	type row struct {
		name string
		file file
	}
	for command, c := range map[string]struct {
		path     string
		args     []string
		ordinary file
		fields   map[string][2]string // what is before and after a hostile value
	}{
		"diff": {"old.json", []string{"diff", "old.json", "new.json"}, ordinaryFiles, map[string][2]string{
			"all":         {"", ""},
			"files":       {strings.TrimSuffix(before, "["), after},
			"ingredients": {start + `"ingredients":`, `}`},
			"extra":       {start + `"extra":`, "," + strings.Replace(end, `"extra":{},`, "", 1)},
			"untracked":   {start + `"untracked":`, "," + end},
			"restoreKeys": {start + `"restoreKeys":`, "," + end},
			"warnings":    {start + `"warnings":`, "," + end},
			"unknown":     {start + `"unknown":`, "," + end},
		}},
		"hits --plan": {"plan.json", []string{"hits", "--plan", "plan.json", "log"},
			file{`{"schema":1,"tasks":[`, `{"task":"a:b","state":"run","reasons":[{"kind":"never-built"}],"toolchain_known":true},`, `{"task":"a","state":"run"}]}`},
			map[string][2]string{
				"all":     {"", ""},
				"tasks":   {`{"schema":1,"tasks":`, `}`},
				"reasons": {`{"schema":1,"tasks":[{"task":"a","state":"run","reasons":`, `}]}`},
				"unknown": {`{"schema":1,"unknown":`, `,"tasks":[]}`},
			}},
		"hits --github": {".same/local/restored.json", []string{"hits", "--github", "log"},
			file{`{"state":"whole","kept":1,"key":` + ordinaryFiles.start, ordinaryFiles.part, ordinaryFiles.end + "}"},
			map[string][2]string{
				"all":     {"", ""},
				"key":     {`{"state":"whole","key":`, `}`},
				"reason":  {`{"state":"none","reason":`, `}`},
				"unknown": {`{"state":"whole","unknown":`, `}`},
			}},
		"prune": {dotsame.InfoPath("a"), []string{"prune"},
			file{`{"task_name":"a","input_hash":"` + hash + `","schema":1,"outputs":[`, `{"path":"a/quite/ordinary/path","type":"file","size":12345,"mode":"0644","digest":"` + hash + `"},`, `{}]}`},
			map[string][2]string{
				"all":     {"", ""},
				"outputs": {`{"task_name":"a","input_hash":"` + hash + `","schema":1,"outputs":`, `}`},
				"depends": {`{"task_name":"a","input_hash":"` + hash + `","schema":1,"depends":`, `}`},
			}},
		"realise": {dotsame.EnvironmentPath(map[string]string{"go": "go@1.25.4"}), []string{"realise"}, file{"[", `"A=b",`, `"PATH=/nix/store"]`},
			map[string][2]string{"all": {"", ""}}},
		"verify": {dotsame.Seal, []string{"verify"}, file{`{"seal":"v1","key":` + start + end + `,"entries":[` + "\n", `{"path":"store/a","type":"f","size":1,"digest":"` + hash + `"},` + "\n", "],\n"},
			map[string][2]string{
				"all":     {"", ""},
				"key":     {`{"seal":"v1","key":`, `,"entries":[` + "\n],\n"},
				"entries": {`{"seal":"v1","key":` + start + end + `,"entries":`, ",\n"},
			}},
	} {
		cost := func(t *testing.T, f file) (cost, string) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "same.yaml"), "version: \"1\"\ntasks:\n  a: {cmd: [\"true\"]}\n")
			write(t, filepath.Join(dir, "flake.nix"), "{ outputs = _: { }; }\n")
			write(t, filepath.Join(dir, "flake.lock"), "{}\n")
			write(t, filepath.Join(dir, "log"), "[a] Starting...\n[a] Completed in 1.0s\n1 ran, 0 cached; took 1.0s\n")
			write(t, filepath.Join(dir, "new.json"), start+end)
			f.write(t, filepath.Join(dir, c.path), size)
			return measureProgram(t, dir, "cachekey", c.args...)
		}
		ordinary, _ := cost(t, c.ordinary)
		var rows []row
		for field, around := range c.fields {
			lists := hostileLists()
			if field != "all" { // there, these are refused in the same way
				for _, name := range []string{"nulls", "lists", "padded", "a number", "depth", "null members"} {
					delete(lists, name)
				}
			}
			for name, f := range lists {
				rows = append(rows, row{field + " of " + name, file{around[0] + f.start, f.part, f.end + around[1]}})
			}
		}
		if command == "hits --plan" {
			rows = append(rows, row{"many tasks", file{`{"tasks":[`, `{"task":"a","state":"run"},`, `{"task":"a","state":"run"}]}`}},
				row{"many names", file{`{"tasks":[`, numbered(300_000, `{"task":"%06d","state":"run"},`), `{"task":"a","state":"run"}]}`}})
		}
		for _, r := range rows {
			t.Run(command+": "+r.name, func(t *testing.T) {
				t.Parallel()
				got, stderr := cost(t, r.file)
				got.check(t, ordinary, stderr)
			})
		}
	}
}

// TestHostileStatCachesTakeNoMemory plans with stat caches whose sum is right.
func TestHostileStatCachesTakeNoMemory(t *testing.T) {
	const size = 24 << 20
	text := func(s string) string {
		return string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
	}
	count := func(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }
	entry := func(name string) string { return text(name) + strings.Repeat("\x01", 6*8+32) }
	ordinaryDir := func(i int) string {
		dir := text(fmt.Sprintf("src/package%06d", i)) + count(10)
		for j := range 10 {
			dir += entry(fmt.Sprintf("an-ordinary-file-%d.go", j))
		}
		return dir
	}
	repeat := func(part func(i int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			b.WriteString(part(i))
		}
		return b.String()
	}
	entries := func(dir string, entry func(i int) string) string {
		n := uint32(0)
		list := repeat(func(i int) string { n++; return entry(i) })
		return text(dir) + count(n) + list
	}
	for _, at := range []struct{ cache, used string }{{dotsame.StatCache, ""}, {dotsame.ProgramCache, "usr/bin"}} {
		cost := func(t *testing.T, body string) (cost, string) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "same.yaml"), "version: \"1\"\ntasks:\n  a: {input: [same.yaml, src], cmd: [/usr/bin/env]}\n")
			write(t, filepath.Join(dir, "src/a"), "")
			body = "same stat cache 1\n" + body
			sum := digest.Of([]byte(body))
			write(t, filepath.Join(dir, at.cache), body+string(sum[:]))
			return measure(t, dir, "run", "a")
		}
		ordinary, _ := cost(t, repeat(ordinaryDir))
		for name, body := range map[string]string{
			"directories of one file":   repeat(func(i int) string { return text(fmt.Sprintf("%07x", i)) + count(1) + entry("") }),
			"one directory":             entries(at.used, func(i int) string { return entry(fmt.Sprintf("%07x", i)) }),
			"one directory, not sorted": entries(at.used, func(i int) string { return entry(fmt.Sprintf("%07x", -i&0xfffffff)) }),
			"one directory, no names":   entries(at.used, func(i int) string { return entry("") }),
			"one directory, many times": repeat(func(i int) string { return text(at.used) + count(1) + entry("") }),
			"long paths":                repeat(func(i int) string { return text(strings.Repeat("d/", 2000)+fmt.Sprint(i)) + count(1) + entry("a") }),
			"too many entries":          text(at.used) + count(1<<31) + repeat(func(i int) string { return entry("") }),
			"no entries":                repeat(func(i int) string { return text(fmt.Sprint(i)) + count(0) }),
		} {
			t.Run(at.cache+": "+name, func(t *testing.T) {
				t.Parallel()
				got, stderr := cost(t, body)
				got.check(t, ordinary, stderr)
			})
		}
	}
}
