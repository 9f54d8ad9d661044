package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// TestForgedBuildInfo checks that a forged cache, with the input hash of this checkout
// and matching digests, can make a task run and do nothing else.
func TestForgedBuildInfo(t *testing.T) {
	evil := digest.Of([]byte("evil"))
	file := func(p string) dotsame.Output {
		return dotsame.Output{Path: p, Type: dotsame.TypeFile, Mode: 0o755, Size: 4, Digest: evil}
	}
	dir := dotsame.Output{Path: "out", Type: dotsame.TypeDir, Mode: 0o755}
	link := dotsame.Output{Path: "out", Type: dotsame.TypeLink, Link: "/tmp"}
	for name, outputs := range map[string][]dotsame.Output{
		"another place":          {dir, file("src/a")},
		"the manifest":           {dir, file("same.yaml")},
		"no target at all":       {},
		"a name that begins so":  {dir, file("outer")},
		"below a link, by parts": {link},
	} {
		for _, forged := range []string{"build info", "result", "both"} {
			t.Run(name+", "+forged, func(t *testing.T) { testForged(t, outputs, forged, name == "below a link, by parts") })
		}
	}
}

// testForged forges the outputs of a task in its build info, its result or both. With
// link, they are outputs that the task can have.
func testForged(t *testing.T, outputs []dotsame.Output, forged string, link bool) {
	root := t.TempDir()
	put := func(p, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, p)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, p), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	manifestText := `{"version": "1", "tasks": {"t": {"input": ["src"], "target": ["out"], "cmd": ["sh", "-c", "mkdir out; echo good >out/x; echo ran >>../ran"], "workingDir": "."}}}`
	manifestText = strings.ReplaceAll(manifestText, "../ran", filepath.Join(t.TempDir(), "ran"))
	put("same.yaml", manifestText)
	put("src/a", "source")
	run := func() string {
		var out, warnings strings.Builder
		ws, err := manifest.Load(root)
		if err != nil {
			t.Fatal(err)
		}
		c := Config{Workspace: ws, LookupEnv: os.LookupEnv, Report: &Lines{To: &out},
			Warnf: func(f string, args ...any) { fmt.Fprintf(&warnings, f+"\n", args...) }}
		if _, err := c.Run(context.Background(), ws.Tasks); err != nil {
			t.Fatal(err)
		}
		return out.String() + warnings.String()
	}
	run()
	d := dotsame.Open(root)
	info, err := d.ReadInputs("t")
	if err != nil {
		t.Fatal(err)
	}
	info.Outputs, info.OutputHash = outputs, dotsame.OutputHash(outputs).String()
	if forged != "result" {
		err = d.WriteBuildInfo(info)
	} else {
		err = d.Remove(dotsame.InfoPath("t"))
	}
	if err == nil && forged != "build info" {
		err = d.WriteResult(info)
	}
	if err != nil {
		t.Fatal(err)
	}
	put(dotsame.BlobPath(digest.Of([]byte("evil"))), "evil")
	printed := run()
	want := "1 ran"
	if forged == "build info" {
		want = "1 cached" // its result can still be used
	}
	if !link && (!strings.Contains(printed, "can't be used") || !strings.Contains(printed, want)) {
		t.Errorf("got %s, want a warning and %s", printed, want)
	}
	for p, want := range map[string]string{"src/a": "source", "same.yaml": manifestText} {
		if got, err := os.ReadFile(filepath.Join(root, p)); err != nil || string(got) != want {
			t.Errorf("%s: got %q %v, want %q", p, got, err, want)
		}
	}
	if _, err := os.Lstat("/tmp/x"); err == nil {
		t.Error("a file was written behind the link")
	}
}

// TestRestoreBelowSwappedDirectory swaps a directory for a link again and again while
// outputs are restored: nothing is written or removed at the target of the link.
func TestRestoreBelowSwappedDirectory(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "1"), []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := `{"version": "1", "tasks": {"t": {"target": ["out"], "cmd": ["sh", "-c", "test ! -e ran || exit 1; touch ran; mkdir -p out/d; for i in $(seq 500); do echo $i >out/d/$i; done"]}}}`
	if err := os.WriteFile(filepath.Join(root, "same.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func() {
		ws, err := manifest.Load(root)
		if err != nil {
			t.Fatal(err)
		}
		c := Config{Workspace: ws, LookupEnv: os.LookupEnv, Report: &Lines{To: new(strings.Builder)}, Warnf: func(string, ...any) {}}
		_, _ = c.Run(context.Background(), ws.Tasks) // it may fail
	}
	run()
	dir, kept := filepath.Join(root, "out/d"), filepath.Join(root, "out/e")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if os.Rename(dir, kept) == nil {
				_ = os.Symlink(outside, dir)
			}
			if os.Remove(dir) == nil {
				_ = os.Rename(kept, dir)
			}
		}
	}()
	for range 5 {
		_ = os.RemoveAll(dir)
		_ = os.RemoveAll(filepath.Join(root, dotsame.Failed)) // after a failure nothing would be restored
		run()
	}
	close(stop)
	<-stopped
	there, err := os.ReadDir(outside)
	if err != nil || len(there) != 1 || there[0].Name() != "1" {
		t.Errorf("got files %v %v, want only 1", there, err)
	}
	if data, err := os.ReadFile(filepath.Join(outside, "1")); err != nil || string(data) != "precious" {
		t.Errorf("got %q %v, want precious", data, err)
	}
}

// TestStorePipe checks that storing an output that has become a pipe fails, and does
// not block.
func TestStorePipe(t *testing.T) {
	root := t.TempDir()
	dir, err := disk.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	s := &session{dir: dotsame.Open(root), root: dir}
	if err := syscall.Mkfifo(filepath.Join(root, "out"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := s.storeFile(dotsame.Output{Path: "out", Type: dotsame.TypeFile, Digest: digest.Of(nil)}, 0o444); err == nil || !strings.Contains(err.Error(), "named pipe") {
		t.Errorf("got %v, want an error that names the pipe", err)
	}
}

// FuzzLeftovers checks that a list of leftovers causes no file but a task's own
// outputs to be removed.
func FuzzLeftovers(f *testing.F) {
	seed, err := json.Marshal([]dotsame.Output{{Path: "out/x", Type: dotsame.TypeFile}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`[{"path":"../a","type":"file"},{"path":"src/a","type":"file","mode":"0644"}]`))
	root := f.TempDir()
	for _, p := range []string{"src/a", "same.yaml"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, p)), 0o755); err != nil {
			f.Fatal(err)
		}
		text := `{"version": "1", "tasks": {"t": {"input": ["src"], "target": ["out"], "cmd": ["true"]}}}`
		if err := os.WriteFile(filepath.Join(root, p), []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ws, err := manifest.Load(root)
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(Config{Workspace: ws, LookupEnv: os.LookupEnv, Report: &Lines{To: new(strings.Builder)}, Warnf: t.Logf})
		if err := os.MkdirAll(filepath.Join(root, "out"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := s.open(); err != nil {
			t.Fatal(err)
		}
		defer s.close(false)
		if err := s.dir.WriteFile(dotsame.LeftoverPath(ws.Tasks[0].Name), data); err != nil {
			t.Fatal(err)
		}
		v, err := s.decide(context.Background(), ws.Tasks[0], nil, forecast{})
		if err != nil {
			t.Fatal(err)
		}
		s.removeLeftovers(context.Background(), ws.Tasks[0], v.inputs)
		if _, err := os.Stat(filepath.Join(root, "src/a")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStoreEntries(t *testing.T) {
	own := filepath.Join(t.TempDir(), "same")
	if err := os.WriteFile(own, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	path := "/usr/bin:/nix/store/b/bin::/nix/storeroom/bin:" + filepath.Dir(own) + ":/nix/store/a/bin:/nix/store/same/bin"
	got := strings.Join(storeEntries(path, "/nix/store/same/bin/same"), " ")
	if want := "/nix/store/b/bin /nix/store/a/bin"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	profile := filepath.Join(t.TempDir(), "profile")
	if err := os.Symlink(filepath.Dir(own), profile); err != nil {
		t.Fatal(err)
	}
	if !isIn(own, profile) || isIn(own, t.TempDir()) {
		t.Error("same's own directory is not recognized behind a link")
	}
}
