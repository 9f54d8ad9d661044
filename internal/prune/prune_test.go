package prune

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// workspace creates a workspace with these tasks, each of which has one output with
// this content. The task "old" is not declared any more.
func workspace(t *testing.T, tasks map[string]string) (*manifest.Workspace, *dotsame.Dir) {
	t.Helper()
	w := &manifest.Workspace{Root: t.TempDir()}
	dir := dotsame.Open(w.Root)
	for name, content := range tasks {
		if name != "old" {
			w.Tasks = append(w.Tasks, &manifest.Task{Name: name, Tools: map[string]string{"go": "go@1.25.4"}})
		}
		remember(t, dir, name, content)
	}
	return w, dir
}

func remember(t *testing.T, dir *dotsame.Dir, name, content string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer f.Close()
	_, err = f.WriteString(content)
	must(t, err)
	d := digest.Of([]byte(content))
	must(t, dir.PutBlob(f, d, int64(len(content)), 0o444))
	outputs := []dotsame.Output{{Path: "out/" + name, Type: dotsame.TypeFile, Mode: 0o644, Size: int64(len(content)), Digest: d}}
	must(t, dir.WriteBuildInfo(&dotsame.BuildInfo{TaskName: name, InputHash: digest.Of(nil).String(), OutputHash: dotsame.OutputHash(outputs).String(),
		Timestamp: time.Unix(0, 0), Schema: dotsame.BuildInfoSchema, Outputs: outputs}))
}

func used(t *testing.T, dir *dotsame.Dir, task string, day int) {
	t.Helper()
	at := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
	must(t, os.Chtimes(dir.Path(dotsame.InfoPath(task)), at, at))
}

func run(t *testing.T, o Options) (*Result, []string) {
	t.Helper()
	var said []string
	o.Gone = func(g Gone) { said = append(said, g.What+": "+g.Why) }
	r, err := Run(context.Background(), o)
	must(t, err)
	return r, said
}

// files lists the files that are saved.
func files(t *testing.T, root string) []string {
	t.Helper()
	var got []string
	for _, top := range []string{"store", "cache"} {
		err := filepath.WalkDir(filepath.Join(root, ".same", top), func(p string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err == nil && !d.IsDir() {
				rel, _ := filepath.Rel(filepath.Join(root, ".same"), p)
				got = append(got, rel)
			}
			return err
		})
		must(t, err)
	}
	return got
}

func put(t *testing.T, root, rel string) {
	t.Helper()
	p := filepath.Join(root, ".same", rel)
	must(t, os.MkdirAll(filepath.Dir(p), 0o777))
	must(t, os.WriteFile(p, []byte("12345"), 0o666))
}

const env = "cache/environments/0aa8a7c0e5ab3ebb3cf64d4fbca4e6b2ed0b4ed2cb21a3ed6d8ef5b8e8dd3b14.json"

func TestKeepsWhatTheWorkspaceRefersTo(t *testing.T) {
	w, dir := workspace(t, map[string]string{"a": "alpha", "b": "beta", "old": "gone"})
	for _, f := range toolFiles(w.Tasks[0].Tools) {
		put(t, w.Root, strings.TrimPrefix(f, ".same/"))
	}
	want := files(t, w.Root)
	gone := []string{strings.TrimPrefix(dotsame.InfoPath("old"), ".same/"), strings.TrimPrefix(dotsame.BlobPath(digest.Of([]byte("gone"))), ".same/")}
	want = slices.DeleteFunc(want, func(f string) bool { return slices.Contains(gone, f) })
	for _, f := range []string{env, "cache/nixhub/" + strings.Repeat("0", 64) + ".json", "cache/environments/environments/x.json", "cache/x/y", "store/x", "store/dir/y",
		"store/blobs/x", "store/blobs/zz/y", "store/blobs/ab/" + strings.Repeat("c", 64), "daemon/daemon.sock", "debug.log", "seal.json.X.tmp", "local/tmp/half", "local/gcroots/" + strings.Repeat("1", 64) + "/root"} {
		put(t, w.Root, f)
	}
	put(t, w.Root, "seal.json")
	put(t, w.Root, "local/stat")

	r, said := run(t, Options{Workspace: w, MaxSize: -1, DryRun: true})
	if n := len(files(t, w.Root)); n != len(want)+2+9 {
		t.Errorf("a dry run left %d files", n)
	}
	again, saidAgain := run(t, Options{Workspace: w, MaxSize: -1})
	if !slices.Equal(said, saidAgain) || r.Kept != again.Kept || r.Gone.Bytes != again.Gone.Bytes {
		t.Errorf("dry: %+v, %q\ntrue: %+v, %q", r, said, again, saidAgain)
	}
	if got := files(t, w.Root); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for name, there := range map[string]bool{"daemon": false, "debug.log": false, "seal.json.X.tmp": false, "local/tmp/half": false,
		"local/gcroots/" + strings.Repeat("1", 64): false, "seal.json": false, "local/stat": true} {
		if _, err := os.Lstat(filepath.Join(w.Root, ".same", name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
	if info, err := dir.ReadBuildInfo("a"); err != nil || info == nil {
		t.Errorf("the build info that was kept can't be read: %v", err)
	}
	if want := int64(len(want)); again.Kept.Entries != want {
		t.Errorf("kept %+v, want %d", again.Kept, want)
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, `it is of task "old"`) }) {
		t.Errorf("the task of the removed build info is not named: %q", said)
	}
	// With nothing to remove the seal stays.
	put(t, w.Root, "seal.json")
	if r, said := run(t, Options{Workspace: w, MaxSize: -1}); r.Gone.Entries != 0 || len(said) != 0 {
		t.Errorf("the second run removed %+v: %q", r.Gone, said)
	}
	if _, err := os.Stat(filepath.Join(w.Root, ".same/seal.json")); err != nil {
		t.Error(err)
	}
}

func TestMaxSizeDropsTheLeastRecentlyUsed(t *testing.T) {
	contents := map[string]string{"a": strings.Repeat("a", 1000), "b": strings.Repeat("b", 2000), "c": strings.Repeat("c", 4000), "d": strings.Repeat("c", 4000)}
	for _, c := range []struct {
		room int64 // for outputs
		left string
	}{
		{7000, "a b c d"}, {6999, "a c d"}, {5000, "a c d"}, {4999, "c d"}, {4000, "c d"}, {3999, ""}, {0, ""},
	} {
		t.Run(fmt.Sprint(c.room), func(t *testing.T) {
			w, dir := workspace(t, contents)
			used(t, dir, "d", 1) // the same blob as c's
			used(t, dir, "b", 2)
			used(t, dir, "a", 3)
			used(t, dir, "c", 4)
			infos := int64(0)
			for task := range contents {
				st, err := os.Stat(dir.Path(dotsame.InfoPath(task)))
				must(t, err)
				infos += st.Size()
			}
			r, _ := run(t, Options{Workspace: w, MaxSize: infos + c.room})
			var left []string
			for _, task := range []string{"a", "b", "c", "d"} {
				if dir.HasBlob(digest.Of([]byte(contents[task])), int64(len(contents[task]))) {
					left = append(left, task)
				}
				if info, err := dir.ReadBuildInfo(task); err != nil || info == nil {
					t.Errorf("the build info of %s was removed: %v", task, err)
				}
			}
			if got := strings.Join(left, " "); got != c.left {
				t.Errorf("left %q, want %q", got, c.left)
			}
			if r.Kept.Bytes > infos+c.room {
				t.Errorf("kept %d bytes", r.Kept.Bytes-infos)
			}
		})
	}
}

// TestTimestampCountsToo checks that running counts as a use, even if the mtime of
// the build info is older.
func TestTimestampCountsToo(t *testing.T) {
	w, dir := workspace(t, map[string]string{"a": "1111", "b": "2222"})
	used(t, dir, "a", 2)
	used(t, dir, "b", 1)
	info, err := dir.ReadBuildInfo("b")
	must(t, err)
	info.Timestamp = time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	must(t, dir.WriteBuildInfo(info))
	used(t, dir, "b", 1)
	r, _ := run(t, Options{Workspace: w, MaxSize: -1})
	run(t, Options{Workspace: w, MaxSize: r.Kept.Bytes - 1})
	if dir.HasBlob(digest.Of([]byte("1111")), 4) || !dir.HasBlob(digest.Of([]byte("2222")), 4) {
		t.Error("the wrong output was removed")
	}
}

func TestHostile(t *testing.T) {
	for name, do := range map[string]func(t *testing.T, root string){
		"store is a link": func(t *testing.T, root string) {
			must(t, os.RemoveAll(root+"/.same/store"))
			must(t, os.Symlink("../precious", root+"/.same/store"))
		},
		"cache is a link": func(t *testing.T, root string) { must(t, os.Symlink("../precious", root+"/.same/cache")) },
		"local is a link": func(t *testing.T, root string) {
			must(t, os.RemoveAll(root+"/.same/local"))
			must(t, os.Symlink("../precious", root+"/.same/local"))
		},
		"blobs are a link": func(t *testing.T, root string) {
			must(t, os.RemoveAll(root+"/.same/store/blobs"))
			must(t, os.Symlink("../../precious", root+"/.same/store/blobs"))
		},
		"a blob is a link": func(t *testing.T, root string) {
			p := filepath.Join(root, dotsame.BlobPath(digest.Of([]byte("alpha"))))
			must(t, os.Remove(p))
			must(t, os.Symlink(root+"/precious/file", p))
		},
		"a build info is a pipe": func(t *testing.T, root string) {
			p := filepath.Join(root, dotsame.InfoPath("a"))
			must(t, os.Remove(p))
			must(t, unix.Mkfifo(p, 0o666))
		},
		"a build info is invalid": func(t *testing.T, root string) {
			must(t, os.WriteFile(filepath.Join(root, dotsame.InfoPath("a")), []byte("{"), 0o666))
		},
		"a build info is a giant": func(t *testing.T, root string) {
			must(t, os.Truncate(filepath.Join(root, dotsame.InfoPath("a")), 1<<40))
		},
		"names": func(t *testing.T, root string) {
			for _, n := range []string{"x\ny", "\xff", "##[error]", strings.Repeat("n", 255)} {
				put(t, root, "store/"+n)
				put(t, root, "cache/"+n+"/z")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := workspace(t, map[string]string{"a": "alpha"})
			must(t, os.MkdirAll(w.Root+"/precious/blobs/aa", 0o777))
			must(t, os.WriteFile(w.Root+"/precious/file", []byte("mine"), 0o666))
			must(t, os.WriteFile(w.Root+"/precious/blobs/aa/file", []byte("mine"), 0o666))
			do(t, w.Root)
			_, said := run(t, Options{Workspace: w, MaxSize: 0})
			for _, s := range said {
				if strings.ContainsAny(s, "\n\r") {
					t.Errorf("a name contains a line break: %q", s)
				}
			}
			for _, f := range []string{"precious/file", "precious/blobs/aa/file"} {
				if got, err := os.ReadFile(filepath.Join(w.Root, f)); err != nil || string(got) != "mine" {
					t.Errorf("%s: %q, %v", f, got, err)
				}
			}
			if names, err := os.ReadDir(w.Root + "/precious"); err != nil || len(names) != 2 {
				t.Errorf("got %v, %v, want 2 names", names, err)
			}
			if r, _ := run(t, Options{Workspace: w, MaxSize: -1}); r.Gone.Entries > 0 {
				t.Errorf("the second run removed %+v", r.Gone)
			}
		})
	}
}

// A directory that can't be removed because it is beyond the bounds is moved away,
// with one warning.
func TestDirectoriesBeyondTheBounds(t *testing.T) {
	w, _ := workspace(t, map[string]string{"a": "alpha"})
	for _, p := range []string{"store/deep", "cache/deep"} {
		must(t, os.MkdirAll(w.Root+"/.same/"+p+strings.Repeat("/x", 150), 0o777))
	}
	var warnings []string
	r, said := run(t, Options{Workspace: w, MaxSize: -1, Warnf: func(f string, a ...any) { warnings = append(warnings, fmt.Sprintf(f, a...)) }})
	if len(said) != 2 || r.Gone.Entries != 2 || len(warnings) != 1 || !strings.Contains(warnings[0], "nested more than 100 levels deep; it is now .same/local/refused-1 (and 1 more)") {
		t.Errorf("removed %q, %+v, warnings %q", said, r.Gone, warnings)
	}
	if got := files(t, w.Root); len(got) != 2 {
		t.Errorf("left: %q", got)
	}
	if again, said := run(t, Options{Workspace: w, MaxSize: -1}); again.Gone.Entries != 0 {
		t.Errorf("the second run removed %q", said)
	}
}

// Directories beyond the number of entries that are read are removed unread.
func TestTooManyEntriesInAll(t *testing.T) {
	defer func(n int) { maxEntries = n }(maxEntries)
	maxEntries = 5 // two in local, two in store, a shard; its blob is one more
	w, dir := workspace(t, map[string]string{"a": "alpha"})
	_, said := run(t, Options{Workspace: w, MaxSize: 0})
	if len(said) != 1 || !strings.Contains(said[0], "more than 5 entries") {
		t.Errorf("removed %q", said)
	}
	if info, err := dir.ReadBuildInfo("a"); err != nil || info == nil {
		t.Errorf("the build info was removed: %v", err)
	}
	if dir.HasBlob(digest.Of([]byte("alpha")), 5) {
		t.Error("the blob was not removed")
	}
}

func TestReportsAtMostMaxNamed(t *testing.T) {
	w, _ := workspace(t, nil)
	for i := range MaxNamed + 3 {
		put(t, w.Root, fmt.Sprintf("store/%d", i))
	}
	r, said := run(t, Options{Workspace: w, MaxSize: -1})
	if len(said) != MaxNamed || r.Unnamed != 3 || r.Gone.Entries != MaxNamed+3 {
		t.Errorf("named %d, result %+v", len(said), r)
	}
}

func TestFailsDuringARun(t *testing.T) {
	w, dir := workspace(t, map[string]string{"a": "alpha"})
	lock, err := dir.TryLock()
	must(t, err)
	defer lock.Unlock()
	if _, err := Run(context.Background(), Options{Workspace: w, MaxSize: 0, Gone: func(Gone) {}}); err == nil || !strings.Contains(err.Error(), "same is running") {
		t.Errorf("got %v", err)
	}
	if !dir.HasBlob(digest.Of([]byte("alpha")), 5) {
		t.Error("a blob was removed")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// earlier stores an earlier result of a task, with the output content, that was last
// used before now.
func earlier(t *testing.T, dir *dotsame.Dir, now time.Time, ago time.Duration, content string) digest.Digest {
	t.Helper()
	return earlierOf(t, dir, "old", now.Add(-ago), content)
}

// TestHistory checks which earlier results are kept: those used lately, the latest
// first, up to the size of the current ones, with their blobs.
func TestHistory(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	hour, day := time.Hour, 24*time.Hour
	type past struct {
		ago     time.Duration
		content string
	}
	big, half := strings.Repeat("b", 100_000), strings.Repeat("h", 40_000)
	for name, c := range map[string]struct {
		history time.Duration
		past    []past
		want    string // the first letters of those that are kept
	}{
		"lately":                {7 * day, []past{{hour, "a"}, {6 * day, "c"}, {8 * day, "d"}}, "ac"},
		"none":                  {0, []past{{hour, "a"}}, ""},
		"an hour":               {hour, []past{{hour / 2, "a"}, {2 * hour, "c"}}, "a"},
		"too large together":    {7 * day, []past{{3 * hour, half}, {2 * hour, "i" + half}, {hour, "j" + half}}, "ij"},
		"too large":             {7 * day, []past{{hour, "x" + big}, {2 * hour, "a"}}, "a"},
		"an output of a task's": {7 * day, []past{{8 * day, big}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, dir := workspace(t, map[string]string{"now": big})
			want := map[digest.Digest]bool{}
			hashes := map[digest.Digest]string{}
			for _, p := range c.past {
				h := earlier(t, dir, now, p.ago, p.content)
				hashes[h] = p.content
				want[h] = strings.Contains(c.want, p.content[:1])
			}
			dry, _ := run(t, Options{Workspace: w, MaxSize: -1, History: c.history, Now: now, DryRun: true})
			r, said := run(t, Options{Workspace: w, MaxSize: -1, History: c.history, Now: now})
			if dry.Kept != r.Kept || dry.History.Bytes != r.History.Bytes || len(said) != 0 {
				t.Errorf("dry: %+v; true: %+v; %q", dry, r, said)
			}
			for h, content := range hashes {
				_, err := os.Stat(dir.Path(dotsame.ResultPath(h)))
				blob := dir.HasBlob(digest.Of([]byte(content)), int64(len(content)))
				if kept := err == nil; kept != want[h] || blob != (want[h] || content == big) {
					t.Errorf("%.1s: kept %v, blob %v, want %v", content, kept, blob, want[h])
				}
			}
			if !dir.HasBlob(digest.Of([]byte(big)), int64(len(big))) {
				t.Error("the current output is gone")
			}
			if again, _ := run(t, Options{Workspace: w, MaxSize: -1, History: c.history, Now: now}); again.Gone.Entries != 0 || again.Kept != r.Kept {
				t.Errorf("the second run: %+v", again)
			}
		})
	}
}

// TestMaxSizeDropsHistoryFirst checks that earlier results go before the outputs of
// tasks, the least recently used first, and that the result of a task goes with its
// outputs.
func TestMaxSizeDropsHistoryFirst(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	w, dir := workspace(t, map[string]string{"now": strings.Repeat("n", 10_000)})
	info, err := dir.ReadBuildInfo("now")
	must(t, err)
	must(t, dir.WriteResult(info))
	old := earlier(t, dir, now, 2*time.Hour, strings.Repeat("o", 3000))
	recent := earlier(t, dir, now, time.Hour, strings.Repeat("r", 3000))
	result := digest.Of(nil) // the input hash of each task
	options := Options{Workspace: w, History: 24 * time.Hour, Now: now, MaxSize: -1}
	r, _ := run(t, options)
	for _, want := range []struct{ recent, old, now bool }{{true, true, true}, {true, false, true}, {false, false, true}, {false, false, false}} {
		there := func(h digest.Digest, letter string, size int64) bool {
			_, err := os.Stat(dir.Path(dotsame.ResultPath(h)))
			blob := dir.HasBlob(digest.Of([]byte(strings.Repeat(letter, int(size)))), size)
			if blob != (err == nil) {
				t.Errorf("%s: blob %v, result %v", letter, blob, err)
			}
			return blob
		}
		if got := [3]bool{there(recent, "r", 3000), there(old, "o", 3000), there(result, "n", 10_000)}; got != [3]bool{want.recent, want.old, want.now} {
			t.Errorf("at most %d bytes: got %v, want %v", options.MaxSize, got, want)
		}
		options.MaxSize = r.Kept.Bytes - 1
		r, _ = run(t, options)
	}
}

// TestResultsThatAreNone checks that what is not a result, or not a failure, is removed.
func TestResultsThatAreNone(t *testing.T) {
	now := time.Now()
	w, dir := workspace(t, map[string]string{"now": "n"})
	good := earlier(t, dir, now, time.Hour, "g")
	must(t, dir.WriteFailure("now", digest.Of([]byte("failed"))))
	must(t, dir.WriteFailure("now", digest.Of([]byte("long ago"))))
	old := now.Add(-dotsame.FailureAge - time.Hour)
	must(t, os.Chtimes(dir.Path(dotsame.FailedPath(digest.Of([]byte("long ago")))), old, old))
	want := files(t, w.Root)
	want = slices.DeleteFunc(want, func(f string) bool { return ".same/"+f == dotsame.FailedPath(digest.Of([]byte("long ago"))) })
	other := strings.TrimPrefix(dotsame.ResultPath(digest.Of([]byte("other"))), ".same/")
	data, err := os.ReadFile(dir.Path(dotsame.ResultPath(good)))
	must(t, err)
	for _, f := range []string{"store/results/x", "store/results/ab/x.json", "store/results/abc/" + strings.Repeat("a", 64) + ".json", "store/failed/y", "store/failed/ab/z",
		"store/results/aa/" + strings.Repeat("b", 64) + ".json", other, "store/results/" + strings.Repeat("a", 64) + ".json"} {
		put(t, w.Root, f)
	}
	must(t, os.WriteFile(filepath.Join(w.Root, ".same", other), data, 0o644)) // under another hash
	big := strings.TrimPrefix(dotsame.FailedPath(digest.Of([]byte("big"))), ".same/")
	put(t, w.Root, big)
	must(t, os.Truncate(filepath.Join(w.Root, ".same", big), dotsame.MaxFailure+1))
	must(t, os.MkdirAll(filepath.Join(w.Root, ".same/store/results/cc/"+strings.Repeat("c", 64)+".json"), 0o755))
	must(t, os.Symlink("../../../same.yaml", filepath.Join(w.Root, ".same/store/results/dd")))
	run(t, Options{Workspace: w, MaxSize: -1, History: 24 * time.Hour, Now: now})
	if got := files(t, w.Root); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
