package prune

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cachekey/internal/digest"
	"cachekey/internal/dotsame"
)

func collect(t *testing.T, o Options) *Result {
	t.Helper()
	o.Gone, o.Warnf = func(g Gone) { t.Errorf("removed %s: %s", g.What, g.Why) }, t.Errorf
	r, err := Collect(context.Background(), o)
	must(t, err)
	return r
}

// TestCollect checks which results stay: those used within the age, the latest first,
// up to the size; and whatever a task of the workspace needs.
func TestCollect(t *testing.T) {
	now := time.Date(2036, 3, 1, 0, 0, 0, 0, time.UTC) // every blob is old
	const day = 24 * time.Hour
	size := func(letter string) string { return strings.Repeat(letter, 10_000) }
	for name, c := range map[string]struct {
		age  time.Duration
		room int64 // for outputs besides that of the task; negative for any
		want string
	}{
		"all":          {30 * day, -1, "abcf"},
		"by age":       {9 * day, -1, "ab"},
		"by size":      {30 * day, 22_000, "ab"},
		"both":         {3 * day, 12_000, "a"},
		"no age":       {0, -1, ""},
		"no size":      {30 * day, 0, ""},
		"less than it": {30 * day, -11_000, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, dir := workspace(t, map[string]string{"now": size("n"), "old": size("f")})
			must(t, os.Chtimes(dir.Path(dotsame.InfoPath("now")), now.Add(-99*day), now.Add(-99*day)))
			must(t, os.Chtimes(dir.Path(dotsame.InfoPath("old")), now.Add(-20*day), now.Add(-20*day)))
			hashes := map[string]digest.Digest{}
			for i, letter := range []string{"a", "b", "c"} {
				hashes[letter] = earlierOf(t, dir, "past", now.Add(-[]time.Duration{2 * day, 8 * day, 10 * day}[i]), size(letter))
			}
			hashes["d"] = earlierOf(t, dir, "past", now.Add(-99*day), size("n")) // what the task needs, too
			options := Options{Workspace: w, MaxSize: -1, History: c.age, Now: now}
			if c.room != -1 {
				options.MaxSize = 12_000 + c.room
			}
			dry := options
			dry.DryRun = true
			would, r := collect(t, dry), collect(t, options)
			if would.Kept != r.Kept || would.Gone.Bytes != r.Gone.Bytes {
				t.Errorf("dry: %+v; true: %+v", would, r)
			}
			var left string
			for _, letter := range []string{"a", "b", "c"} {
				_, err := os.Stat(dir.Path(dotsame.ResultPath(hashes[letter])))
				if blob := dir.HasBlob(digest.Of([]byte(size(letter))), 10_000); blob != (err == nil) {
					t.Errorf("%s: blob %v, result %v", letter, blob, err)
				}
				if err == nil {
					left += letter
				}
			}
			former, _ := dir.ReadBuildInfo("old")
			if blob := dir.HasBlob(digest.Of([]byte(size("f"))), 10_000); blob != (former != nil) {
				t.Errorf("the former task: blob %v, build info %v", blob, former)
			}
			if former != nil {
				left += "f"
			}
			if left != c.want {
				t.Errorf("left %q, want %q", left, c.want)
			}
			if info, err := dir.ReadBuildInfo("now"); err != nil || info == nil || !dir.HasBlob(digest.Of([]byte(size("n"))), 10_000) {
				t.Errorf("the last result of a task is gone: %v, %v", info, err)
			}
			if again := collect(t, options); again.Gone.Entries != 0 || again.Kept != r.Kept {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// earlierOf stores an earlier result of a task without leaving a build info.
func earlierOf(t *testing.T, dir *dotsame.Dir, task string, used time.Time, content string) digest.Digest {
	t.Helper()
	remember(t, dir, task, content)
	info, err := dir.ReadBuildInfo(task)
	must(t, err)
	must(t, os.Remove(dir.Path(dotsame.InfoPath(task))))
	inputs := digest.Of([]byte("inputs of " + content))
	info.InputHash = inputs.String()
	must(t, dir.WriteResult(info))
	must(t, os.Chtimes(dir.Path(dotsame.ResultPath(inputs)), used, used))
	return inputs
}

// TestCollectLeavesTheRest checks that only .same/store is touched, that a young blob
// stays, and that what can't be read is no reason to remove everything.
func TestCollectLeavesTheRest(t *testing.T) {
	w, dir := workspace(t, map[string]string{"now": "n"})
	for _, f := range []string{env, "local/stat", "local/tmp/half", "daemon/daemon.sock", "store/blobs/" + strings.Repeat("c", 2) + "/" + strings.Repeat("c", 64)} {
		put(t, w.Root, f)
	}
	options := Options{Workspace: w, MaxSize: 0, Now: time.Now()}
	if r := collect(t, options); r.Gone.Entries != 0 {
		t.Errorf("removed %+v", r.Gone)
	}
	options.Now = options.Now.Add(2 * time.Hour)
	if r := collect(t, options); r.Gone.Entries != 1 || r.Blobs.Bytes != 5 {
		t.Errorf("two hours later: %+v", r)
	}
	// A file that another run is writing.
	const temp = "store/results/ab/.cachekey-x.tmp"
	put(t, w.Root, temp)
	for _, c := range []struct {
		now  time.Time
		left bool
	}{{time.Now(), true}, {time.Now().Add(2 * time.Hour), false}} {
		options.Now, options.Gone, options.Warnf = c.now, func(Gone) {}, t.Errorf
		if _, err := Collect(context.Background(), options); err != nil {
			t.Fatal(err)
		}
		if left := slices.Contains(files(t, w.Root), temp); left != c.left {
			t.Errorf("at %v: %s is left: %v", c.now, temp, left)
		}
	}
	maxEntries = 2
	defer func() { maxEntries = 1_000_000 }()
	if _, err := Collect(context.Background(), options); err == nil || !strings.Contains(err.Error(), "more than 2 entries") {
		t.Errorf("got %v", err)
	}
	if !dir.HasBlob(digest.Of([]byte("n")), 1) {
		t.Error("the output of the task is gone")
	}
}
