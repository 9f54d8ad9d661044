package dotsame

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cachekey/internal/disk"
)

// deep returns the .same of a new workspace, with a directory of 150 levels at
// each of paths, which are relative to .same.
func deep(t *testing.T, paths ...string) (*Dir, *disk.Dir) {
	t.Helper()
	d := Open(t.TempDir())
	if err := os.Mkdir(d.Path(Name), 0o777); err != nil {
		t.Fatal(err)
	}
	same, err := disk.Open(d.Path(Name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(same.Close)
	for _, p := range paths {
		at, err := same.ReachMaking(p + strings.Repeat("/x", 150))
		if err != nil {
			t.Fatal(err)
		}
		at.Close()
	}
	return d, same
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestRemoverMovesWhatIsBeyondTheBounds(t *testing.T) {
	d, same := deep(t, "store/a", "store/b", "cache")
	if err := os.Mkdir(d.Path(Store+"/c"), 0o777); err != nil {
		t.Fatal(err)
	}
	store, err := same.OpenDir("store")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r := NewRemover(same)
	var warnings []string
	warnf := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	for _, p := range []string{"store/c", "store/none"} {
		if _, err := r.Remove(store, p); err != nil {
			t.Error(err)
		}
	}
	if r.Warn(warnf); len(warnings) > 0 {
		t.Errorf("warned %q although nothing was moved", warnings)
	}
	if err := os.Chmod(d.Path(Store+"/b"), 0); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"store/a", "store/b"} {
		if removed, err := r.Remove(store, p); err != nil || removed.Entries != 1 {
			t.Errorf("%s: %+v, %v", p, removed, err)
		}
	}
	if _, err := r.Remove(same, "cache"); err != nil {
		t.Error(err)
	}
	r.Warn(warnf)
	if want := `".same/store/a" can't be removed: nested more than 100 levels deep; it is now .same/local/refused-1 (and 2 more): same clean --all removes them`; len(warnings) != 1 || warnings[0] != want {
		t.Errorf("got  %q\nwant %q", warnings, want)
	}
	if got := names(t, d.Path(Store)); len(got) > 0 {
		t.Errorf(".same/store still has %q", got)
	}
	if got, want := names(t, d.Path(Local)), []string{"refused-1", "refused-2", "refused-3"}; !slices.Equal(got, want) {
		t.Errorf(".same/local has %q, want %q", got, want)
	}

	// .same/local itself can't be moved into itself.
	if err := r.Refuse(same, "local", os.ErrInvalid); err != nil {
		t.Fatal(err)
	}
	if got := names(t, d.Path(Name)); !slices.Equal(got, []string{"local", "store"}) {
		t.Errorf(".same has %q", got)
	}
	if got := names(t, d.Path(Local+"/refused-1")); len(got) != 3 {
		t.Errorf("the refused .same/local has %q", got)
	}
}

func TestRemoverFollowsNoLinks(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "precious"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	d, same := deep(t)
	if err := os.Symlink(outside, d.Path(Local)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.Path(Store), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := NewRemover(same).Refuse(same, "store", os.ErrInvalid); err == nil {
		t.Error("Refuse followed a link at .same/local")
	}
	if got := names(t, outside); !slices.Equal(got, []string{"precious"}) {
		t.Errorf("outside there is %q", got)
	}
}

func TestClean(t *testing.T) {
	for _, all := range []bool{false, true} {
		d, _ := deep(t, "store", "cache", "local/refused-7")
		var warnings []string
		err := d.Clean(context.Background(), all, func(*LockedError) { t.Error("Clean waited") },
			func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) })
		if err != nil {
			t.Fatal(err)
		}
		inSame, inLocal := []string{".gitignore", "cache", "local"}, []string{"lock", "refused-1", "refused-7"}
		if all {
			inSame, inLocal = []string{".gitignore", "local"}, []string{"lock"}
		}
		if got := names(t, d.Path(Name)); !slices.Equal(got, inSame) {
			t.Errorf("all %v: .same has %q, want %q", all, got, inSame)
		}
		if got := names(t, d.Path(Local)); !slices.Equal(got, inLocal) {
			t.Errorf("all %v: .same/local has %q, want %q", all, got, inLocal)
		}
		if len(warnings) > 0 == all {
			t.Errorf("all %v: warnings %q", all, warnings)
		}
	}
}

// TestBoundAside checks the bounds on age and size, and that files of the last run and
// files that no run made are kept.
func TestBoundAside(t *testing.T) {
	asideSize = 10
	defer func() { asideSize = AsideSize }()
	root := t.TempDir()
	for name, size := range map[string]int{
		"20250101T000000.000": 1, "20260301T000000.000": 5, "20260302T000000.000": 6, "20260303T000000.000": 4, "notes": 100,
	} {
		at := filepath.Join(root, Aside, name)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, "file"), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	left := func(now time.Time) string {
		t.Helper()
		if err := Open(root).BoundAside(now); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(filepath.Join(root, Aside))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	}
	now := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	if got, want := left(now), "20260302T000000.000 20260303T000000.000 notes"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	asideSize = 3
	if got, want := left(now), "20260303T000000.000 notes"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := left(now.Add(AsideAge)), "notes"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
