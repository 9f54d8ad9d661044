package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cachekey/internal/cli"
	b3 "cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/engine"
	"cachekey/internal/hits"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/nixenv"
)

// hostileWorkspace has three tasks: two that make files, one of them executable and
// with a link beside it, and one that makes nothing.
var hostileWorkspace = map[string]string{
	"same.yaml": `version: "1"
tasks:
  gen:
    input: [src/gen.txt]
    cmd: [sh, -c, "mkdir -p out/gen && tr a-z A-Z <src/gen.txt >out/gen/upper && ln -s upper out/gen/link && chmod 755 out/gen/upper"]
    target: [out/gen]
  app:
    input: [src/app.txt, out/gen/upper]
    cmd: [sh, -c, "cat out/gen/upper src/app.txt >out/app"]
    target: [out/app]
    dependsOn: [gen]
  check:
    input: [src/app.txt]
    cmd: [grep, -q, app, src/app.txt]
`,
	"flake.nix":   "{ outputs = _: { }; }\n",
	"flake.lock":  "{}\n",
	"src/gen.txt": "generated\n",
	"src/app.txt": "app\n",
	"precious":    "mine\n",
}

// made has the outputs of the tasks, computed without our code.
var made = map[string]string{"out/gen/upper": "GENERATED\n", "out/app": "GENERATED\napp\n"}

// TestHostileCachesEndInACorrectBuild restores caches that were tampered with after
// they were sealed. With a secret key on this side, no cache makes a build wrong, and
// unchanged entries are still hits.
func TestHostileCachesEndInACorrectBuild(t *testing.T) {
	app, gen := dotsame.InfoPath("app"), dotsame.InfoPath("gen")
	blob := func(content string) string { return dotsame.BlobPath(b3.Of([]byte(content))) }
	upper := blob(made["out/gen/upper"])
	for _, c := range []struct {
		name   string
		tamper func(w *hostile)
		hits   string // tasks that are still skipped
	}{
		{"nothing", func(w *hostile) {}, "app check gen"},
		{"an altered output", func(w *hostile) { w.write(upper, "EVIL\n") }, "app check"},
		{"an altered output of the same size", func(w *hostile) { w.write(upper, "XENERATED\n") }, "app check"},
		{"an altered output under its own digest, sealed again", func(w *hostile) {
			w.write(blob("EVIL\n"), "EVIL\n")
			w.edit(gen, b3.Of([]byte(made["out/gen/upper"])).String(), b3.Of([]byte("EVIL\n")).String())
			w.secret = "somebody else's secret"
			w.seal()
		}, ""},
		{"another task's build info", func(w *hostile) { w.write(app, w.read(gen)) }, "app check gen"}, // there is still its result
		{"another task's build info and result", func(w *hostile) {
			result := w.result(app)
			w.write(result, w.read(w.result(gen)))
			w.write(app, w.read(gen))
		}, "check gen"},
		{"a truncated output", func(w *hostile) { must(w.t, os.Truncate(w.path(upper), 3)) }, "app check"},
		{"a truncated build info", func(w *hostile) { must(w.t, os.Truncate(w.path(app), 100)) }, "app check gen"},
		{"a truncated result", func(w *hostile) { must(w.t, os.Truncate(w.path(w.result(app)), 100)) }, "app check gen"},
		{"a truncated build info and result", func(w *hostile) {
			must(w.t, os.Truncate(w.path(w.result(app)), 100))
			must(w.t, os.Truncate(w.path(app), 100))
		}, "check gen"},
		{"a build info and result of nothing", func(w *hostile) {
			w.write(w.result(app), "")
			w.write(app, "")
		}, "check gen"},
		{"results that are a link", func(w *hostile) {
			must(w.t, os.Rename(w.path(dotsame.Results), w.path("elsewhere")))
			must(w.t, os.Symlink("../../elsewhere", w.path(dotsame.Results)))
			must(w.t, os.Remove(w.path(app)))
		}, "check gen"},
		{"a failure that nobody has seen", func(w *hostile) {
			w.write(strings.TrimSuffix(strings.Replace(w.result(app), dotsame.Results, dotsame.Failed, 1), ".json"), "{}")
		}, "app check gen"},
		{"an output that is a link", func(w *hostile) {
			must(w.t, os.Remove(w.path(upper)))
			must(w.t, os.Symlink(w.path("precious"), w.path(upper)))
		}, "app check"},
		{"a build info that is a pipe", func(w *hostile) {
			must(w.t, os.Remove(w.path(app)))
			must(w.t, unix.Mkfifo(w.path(app), 0o666))
			result := w.result(gen)
			must(w.t, os.Remove(w.path(result)))
			must(w.t, unix.Mkfifo(w.path(result), 0o666))
		}, "app check gen"},
		{"an output that is a hard link", func(w *hostile) {
			must(w.t, os.Link(w.path(upper), w.path("second")))
		}, "app check"},
		{"a store that is a link", func(w *hostile) {
			must(w.t, os.Rename(w.path(".same/store"), w.path("elsewhere")))
			must(w.t, os.Symlink("../elsewhere", w.path(".same/store")))
		}, ""},
		{"a .same that is a link", func(w *hostile) {
			must(w.t, os.Rename(w.path(".same"), w.path("elsewhere")))
			must(w.t, os.Symlink("elsewhere", w.path(".same")))
		}, ""},
		{"a local that is a link", func(w *hostile) {
			must(w.t, os.RemoveAll(w.path(".same/local")))
			must(w.t, os.Symlink("../src", w.path(".same/local")))
		}, "app check gen"},
		{"a stat cache that lies", func(w *hostile) {
			must(w.t, os.MkdirAll(w.path(".same/local"), 0o777))
			w.write(dotsame.StatCache, strings.Repeat("lies", 1000))
		}, "app check gen"},
		{"no seal", func(w *hostile) { must(w.t, os.Remove(w.path(dotsame.Seal))) }, ""},
		{"half a seal", func(w *hostile) { must(w.t, os.Truncate(w.path(dotsame.Seal), 1000)) }, ""},
		{"a seal without a MAC", func(w *hostile) { w.secret = ""; w.seal() }, ""},
		{"a seal of another secret", func(w *hostile) { w.secret = "somebody else's secret"; w.seal() }, ""},
		{"a seal of other locks", func(w *hostile) {
			w.write("flake.lock", "{ }\n")
			w.seal()
			w.write("flake.lock", hostileWorkspace["flake.lock"])
		}, ""},
		{"names that lead out", func(w *hostile) {
			w.write(".same/store/..\n..", "x")
			w.write(".same/store/"+strings.Repeat("n", 255), "x")
			w.write(".same/cache/\xff\xfe/..x", "x")
		}, "app check gen"},
		{"all of it twice", func(w *hostile) { must(w.t, os.CopyFS(w.path(".same/cache/store"), os.DirFS(w.path(".same/store")))) }, "app check gen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := newHostile(t)
			first.same("all")
			first.seal()
			second := newHostile(t)
			for _, carried := range []string{dotsame.Store, dotsame.Seal} {
				copyTree(t, first.path(carried), second.path(carried))
			}
			c.tamper(second)
			second.secret = hostileSecret
			if err := second.cachekey("verify"); err != nil {
				t.Fatalf("verify: %v", err)
			}
			log := second.same("all")
			for name, want := range made {
				if got := second.read(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if to, err := os.Readlink(second.path("out/gen/link")); err != nil || to != "upper" {
				t.Errorf("the link points to %q, %v", to, err)
			}
			if st, err := os.Stat(second.path("out/gen/upper")); err != nil || st.Mode().Perm()&0o100 == 0 {
				t.Errorf("the executable is %v, %v", st, err)
			}
			for name, want := range hostileWorkspace {
				if got := second.read(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			var skipped []string
			for _, task := range log.Tasks {
				if task.Status == hits.Skipped {
					skipped = append(skipped, task.Name)
				}
			}
			slices.Sort(skipped)
			if got := strings.Join(skipped, " "); got != c.hits {
				t.Errorf("skipped %q, want %q", got, c.hits)
			}
		})
	}
}

const hostileSecret = "correct horse battery staple"

// A hostile is a checkout of hostileWorkspace.
type hostile struct {
	t      *testing.T
	root   string
	secret string
}

func newHostile(t *testing.T) *hostile {
	w := &hostile{t: t, root: t.TempDir(), secret: hostileSecret}
	for name, content := range hostileWorkspace {
		w.write(name, content)
	}
	return w
}

func (w *hostile) path(rel string) string { return filepath.Join(w.root, rel) }

func (w *hostile) write(rel, content string) {
	w.t.Helper()
	must(w.t, os.MkdirAll(filepath.Dir(w.path(rel)), 0o777))
	if err := os.Remove(w.path(rel)); err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	must(w.t, os.WriteFile(w.path(rel), []byte(content), 0o666))
}

func (w *hostile) read(rel string) string {
	w.t.Helper()
	data, err := os.ReadFile(w.path(rel))
	must(w.t, err)
	return string(data)
}

// result returns the path of the result of the build info at rel.
func (w *hostile) result(rel string) string {
	w.t.Helper()
	info, err := dotsame.ParseBuildInfo([]byte(w.read(rel)))
	must(w.t, err)
	inputs, err := b3.Parse(info.InputHash)
	must(w.t, err)
	return dotsame.ResultPath(inputs)
}

func (w *hostile) edit(rel, old, new string) {
	w.t.Helper()
	text := w.read(rel)
	if !strings.Contains(text, old) {
		w.t.Fatalf("%s has no %q in it", rel, old)
	}
	if _, err := dotsame.ParseBuildInfo([]byte(strings.ReplaceAll(text, old, new))); err == nil {
		w.t.Fatal("the outputs' hash did not change")
	}
	// As an attacker would: with the hash of the new outputs.
	info, err := dotsame.ParseBuildInfo([]byte(text))
	must(w.t, err)
	for i := range info.Outputs {
		if o := &info.Outputs[i]; o.Digest.String() == old {
			o.Digest, err = b3.Parse(new)
			must(w.t, err)
			o.Size = 5
		}
	}
	info.OutputHash = dotsame.OutputHash(info.Outputs).String()
	var data bytes.Buffer
	err = info.Encode(&data)
	must(w.t, err)
	w.write(rel, data.String())
}

// cachekey runs a command as main does.
func (w *hostile) cachekey(args ...string) error {
	w.t.Helper()
	var printed bytes.Buffer
	o := &cli.IO{Out: io.Discard, Err: &printed, Getenv: func(name string) string {
		if name == "CACHEKEY_SEAL_KEY" {
			return w.secret
		}
		return ""
	}}
	err := cli.Run(w.t.Context(), o, program(o), append(args, "-C", w.root))
	w.t.Log(printed.String())
	return err
}

func (w *hostile) seal() {
	w.t.Helper()
	must(w.t, w.cachekey("seal"))
}

// same runs tasks with our runner.
func (w *hostile) same(names ...string) *hits.Log {
	w.t.Helper()
	workspace, err := manifest.Load(w.root)
	must(w.t, err)
	tasks, err := workspace.Select(names...)
	must(w.t, err)
	system := key.System(runtime.GOOS, runtime.GOARCH)
	var out bytes.Buffer
	c := engine.Config{Workspace: workspace, System: system, LookupEnv: os.LookupEnv, Warnf: w.t.Logf,
		Resolver: &nixenv.Resolver{Root: w.root, System: system}, Report: &engine.Lines{To: &out}}
	_, err = c.Run(context.Background(), tasks)
	w.t.Log(out.String())
	must(w.t, err)
	log := hits.NewReader()
	must(w.t, log.Read(&out))
	return log.Log()
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	st, err := os.Stat(from)
	must(t, err)
	if st.IsDir() {
		must(t, os.CopyFS(to, os.DirFS(from)))
		return
	}
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(to), 0o777))
	must(t, os.WriteFile(to, data, 0o666))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
