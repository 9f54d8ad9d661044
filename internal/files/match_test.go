package files

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"cachekey/internal/dotsame"
)

// world creates files (and directories, "d/", and links, "l -> target") and
// returns their root.
func world(t testing.TB, paths ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, p := range paths {
		link, target, isLink := strings.Cut(p, " -> ")
		name := filepath.Join(root, link)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, name)
		case strings.HasSuffix(p, "/"):
			err = os.MkdirAll(name, 0o755)
		default:
			err = os.WriteFile(name, []byte(p), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func openTree(t testing.TB, root string) *Index {
	t.Helper()
	tr, err := New(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

func match(t testing.TB, tr *Index, patterns, targets []string) *Match {
	t.Helper()
	ps, err := Compile(patterns, targets)
	if err != nil {
		t.Fatal(err)
	}
	m, err := tr.Match(context.Background(), ps)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Found {
		if len(ps.MatchPath(f.Path)) == 0 {
			t.Errorf("Match finds %s, MatchPath does not", f.Path)
		}
	}
	return m
}

func paths(m *Match) (paths []string) {
	for _, f := range m.Found {
		paths = append(paths, f.Path)
	}
	return paths
}

func TestMatch(t *testing.T) {
	files := []string{
		"a.go", "b.txt", ".hidden", "src/a.go", "src/b.txt", "src/.env", "src/sub/c.go", "src/sub/deep/d.go", "src2/e.go",
		"dist/app", "dist/x.go", ".git/config", "src/.git", "src/.same/x", ".same/store/x", "src/empty/",
		"link -> src", "src/out -> ../dist", "src/dangling -> nowhere", "we[ird/f",
	}
	tests := []struct {
		name              string
		patterns, targets string
		want              string
		empty             string
	}{
		{name: "a file", patterns: "src/a.go", want: "src/a.go"},
		{name: "a directory", patterns: "src/sub", want: "src/sub/c.go src/sub/deep/d.go"},
		{name: "a directory with a slash", patterns: "src/sub/", want: "src/sub/c.go src/sub/deep/d.go"},
		{name: "within one name", patterns: "*.go", want: "a.go"},
		{name: "any depth", patterns: "**/*.go", want: "a.go dist/x.go src/a.go src/sub/c.go src/sub/deep/d.go src2/e.go"},
		{name: "any depth below", patterns: "src/**/*.go", want: "src/a.go src/sub/c.go src/sub/deep/d.go"},
		{name: "all below, hidden ones and links too", patterns: "src/**", want: "src/.env src/a.go src/b.txt src/dangling src/out src/sub/c.go src/sub/deep/d.go"},
		{name: "a wildcard takes directories along", patterns: "src/s*", want: "src/sub/c.go src/sub/deep/d.go"},
		{name: "alternatives and classes", patterns: "src/{a,b}.* src[0-9]/?.go", want: "src/a.go src/b.txt src2/e.go"},
		{name: "a link is itself", patterns: "link", want: "link"},
		{name: "not through a link", patterns: "link/a.go", empty: "link/a.go"},
		{name: "all below a link is the link", patterns: "link/**", want: "link"},
		{name: "git and same are private", patterns: ".git/** .same src/.git", empty: ".git/** .same src/.git"},
		{name: "nothing", patterns: "src/*.rs nowhere/x a.go/x", empty: "a.go/x nowhere/x src/*.rs"},
		{name: "an empty directory", patterns: "src/empty", empty: "src/empty"},
		{name: "escaped", patterns: `we\[ird/f`, want: "we[ird/f"},
		{name: "escaped names are spelled out", patterns: `we\[ird/f`, targets: "we[ird", want: "we[ird/f"},
		{name: "own targets are not inputs", patterns: "**", targets: "dist src src2", want: ".hidden a.go b.txt link we[ird/f"},
		{name: "nor below an escaped name", patterns: `we\[ird`, targets: "we[ird/f", empty: `we\[ird`},
		{name: "unless named", patterns: "dist/x.go", targets: "dist", want: "dist/x.go"},
		{name: "or below what is named", patterns: "src", targets: "src/sub", want: "src/.env src/a.go src/b.txt src/dangling src/out"},
		{name: "the workspace", patterns: ".", targets: "src src2 dist", want: ".hidden a.go b.txt link we[ird/f"},
	}
	tr := openTree(t, world(t, files...))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := match(t, tr, strings.Fields(test.patterns), strings.Fields(test.targets))
			if got := strings.Join(paths(m), " "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			slices.Sort(m.Empty)
			if got := strings.Join(m.Empty, " "); got != test.empty {
				t.Errorf("empty: got %q, want %q", got, test.empty)
			}
		})
	}
}

func TestThroughALink(t *testing.T) {
	tr := openTree(t, world(t, "src/a.go", "link -> src", "dir/sub/link -> ../src"))
	for _, pattern := range []string{"link/a.go", "link/*.go", "link/**"} {
		if got := match(t, tr, []string{pattern}, nil).Through[pattern]; got != "link" {
			t.Errorf("%s goes through %q, want link", pattern, got)
		}
	}
	if through := match(t, tr, []string{"**", "src/**", "*/a.go", "dir/**"}, nil).Through; len(through) > 0 {
		t.Errorf("through %v", through)
	}
}

// A target is removed before its task runs. Another task whose patterns match the
// earlier listing must not fail because of that.
func TestRemovedAfterListing(t *testing.T) {
	for what, gone := range map[string]string{"a directory": "dist", "one above": ".", "a file": "dist/a", "a link": "dist/l"} {
		t.Run(what, func(t *testing.T) {
			root := world(t, "x/dist/a", "x/dist/b", "x/dist/l -> a", "y")
			tr := openTree(t, root)
			match(t, tr, []string{"**/*.none"}, nil) // lists it, and reads nothing
			if err := os.RemoveAll(filepath.Join(root, "x", gone)); err != nil {
				t.Fatal(err)
			}
			want := []string{"x/dist/a", "x/dist/b", "x/dist/l", "y"}
			want = slices.DeleteFunc(want, func(p string) bool {
				_, err := os.Lstat(filepath.Join(root, p))
				return err != nil
			})
			if got := paths(match(t, tr, []string{"**"}, nil)); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestBadPatterns(t *testing.T) {
	for _, bad := range []string{"../x", "a/../../x", "/etc/passwd", "", "a//b", "[", "{a", "{a/b,c}"} {
		if _, err := Compile([]string{bad}, nil); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// TestMatchAgainstDoublestar compares Match with doublestar's matching of whole
// paths.
func TestMatchAgainstDoublestar(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "ab", "a.go", "b.go", ".c", "x-1"}
	parts := []string{"a", "b", "*", "**", "a*", "*.go", "?", "{a,b}", "[ab]", "*b*", ".*", "x-[0-9]"}
	pick := func(from []string) string {
		var chosen []string
		for range 1 + r.IntN(4) {
			chosen = append(chosen, from[r.IntN(len(from))])
		}
		return strings.Join(chosen, "/")
	}
	var files []string
	root := world(t)
	for range 200 {
		p := pick(names)
		name := filepath.Join(root, p)
		if os.MkdirAll(filepath.Dir(name), 0o755) == nil {
			if f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o644); err == nil {
				f.Close()
				files = append(files, p)
			}
		}
	}
	slices.Sort(files)
	tr := openTree(t, root)
	for range 2000 {
		patterns := []string{pick(parts), pick(parts)}
		var want []string
		for _, f := range files {
			if slices.ContainsFunc(patterns, func(p string) bool {
				for up := f; up != "."; up = filepath.Dir(up) { // with a directory, all below it
					if matchesPath(p, up) {
						return true
					}
				}
				return false
			}) {
				want = append(want, f)
			}
		}
		if got := paths(match(t, tr, patterns, nil)); !slices.Equal(got, want) {
			t.Fatalf("%v\ngot  %v\nwant %v", patterns, got, want)
		}
	}
}

// matchesPath is doublestar's Match, extended so that every p/** also matches p:
// doublestar does that for a/** but not for a*/**.
func matchesPath(pattern, p string) bool {
	ok, err := doublestar.Match(pattern, p)
	if short, cut := strings.CutSuffix(pattern, "/**"); cut && !ok {
		return matchesPath(short, p)
	}
	return ok || err != nil
}

func BenchmarkMatch(b *testing.B) {
	var files []string
	for i := range 3000 {
		files = append(files, fmt.Sprintf("d%d/f%d", i%30, i))
	}
	tr := openTree(b, world(b, files...))
	for b.Loop() {
		tr.Changed()
		match(b, tr, []string{"**"}, nil)
	}
}

// Replace must predict what Match returns once the outputs are at the targets.
func TestReplace(t *testing.T) {
	const was, will = "out/old", "out/x"
	before := world(t, "src/a", was, "out/sub/old", "single", "out2/kept")
	after := world(t, "src/a", will, "out/sub/run", "out/link -> x", "out/empty/", "single", "out2/kept")
	if err := os.Chmod(filepath.Join(after, "out/sub/run"), 0o755); err != nil {
		t.Fatal(err)
	}
	targets := []string{"out", "single"}
	var outputs []dotsame.Output
	for _, target := range targets {
		found, _, err := openTree(t, after).Scan(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, found...)
	}
	for _, patterns := range [][]string{{"**"}, {"out"}, {"out/*", "src"}, {will}, {will, "out/sub/run"}, {"single", "out2/**"}, {was, "src/a"}} {
		ps, err := Compile(patterns, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := match(t, openTree(t, before), patterns, nil)
		got.Replace(ps, func(p string) bool {
			return slices.ContainsFunc(targets, func(target string) bool { return p == target || isAbove(target, p) })
		}, outputs)
		want := match(t, openTree(t, after), patterns, nil)
		if !slices.Equal(got.Found, want.Found) || !slices.Equal(got.Empty, want.Empty) {
			t.Errorf("%q: got %v, want %v", patterns, got, want)
		}
	}
}
