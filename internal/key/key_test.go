package key

import (
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"cachekey/internal/disk"
)

func TestParseKey(t *testing.T) {
	locks, tasks, tree := strings.Repeat("0", 32), strings.Repeat("1", 32), "1"+strings.Repeat("z", 51)
	whole := "my-own.pre-fix-v1-x86_64-linux-" + locks + "-" + tasks + "-" + tree
	got, err := ParseKey(whole)
	if err != nil || *got != (Segments{"my-own.pre-fix-v1-x86_64-linux", locks, tasks, tree}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{
		"", "-", tree, tasks + "-" + tree, locks + "-" + tasks + "-" + tree, // no head
		whole[:len(whole)-1], whole + "0", strings.TrimSuffix(whole, tree),
		strings.Replace(whole, "z", "e", 1), strings.ToUpper(whole), whole + "\n",
	} {
		if got, err := ParseKey(bad); err == nil {
			t.Errorf("ParseKey(%q) = %+v, want an error", bad, got)
		}
	}
}

// Every system that Go builds for has a name, so that same runs there.
func TestSystem(t *testing.T) {
	for _, c := range [][3]string{
		{"linux", "amd64", "x86_64-linux"}, {"darwin", "arm64", "aarch64-darwin"}, {"linux", "386", "i686-linux"},
		{"linux", "arm", "armv7l-linux"}, {"linux", "ppc64le", "powerpc64le-linux"}, {"linux", "s390x", "s390x-linux"},
		{"linux", "riscv64", "riscv64-linux"}, {"linux", "loong64", "loongarch64-linux"}, {"freebsd", "amd64", "x86_64-freebsd"},
	} {
		if got := System(c[0], c[1]); got != c[2] {
			t.Errorf("%s/%s: got %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// The paths are below the workspace root, wherever in the checkout that is.
func TestPaths(t *testing.T) {
	const one = "f flake.nix x"
	for name, c := range map[string]struct {
		entries []string
		in      string
		want    string
	}{
		"at the top":          {[]string{one, "f same.yaml x"}, "", ".same/"},
		"none":                {[]string{one}, "", ".same/"},
		"below":               {[]string{one, "f ws/same.yaml x"}, "ws", "ws/.same/"},
		"from a project":      {[]string{one, "f ws/same.work.yaml x", "f ws/a/same.yaml x"}, "ws/a", "ws/.same/"},
		"not seen from above": {[]string{one, "f ws/same.yaml x"}, "", ".same/"},
		"moved by root":       {[]string{one, "f ws/same.yaml version%3a%20%221%22%0aroot%3a%20..%0a"}, "ws", ".same/"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			layOut(t, dir, c.entries)
			d, err := Compute(t.Context(), Options{Dir: dir + "/" + c.in, AllowMissing: true})
			if err != nil {
				t.Fatal(err)
			}
			want := []disk.Path{disk.Path(c.want + "store"), disk.Path(c.want + "cache"), disk.Path(c.want + "seal.json")}
			if !slices.Equal(d.Paths, want) {
				t.Errorf("got %q, want %q", d.Paths, want)
			}
		})
	}
}

func TestWorkspaceOutside(t *testing.T) {
	dir := t.TempDir()
	layOut(t, dir, []string{"f same.work.yaml x", "f flake/flake.nix x", "f flake/same.yaml x"})
	if d, err := Compute(t.Context(), Options{Dir: dir + "/flake", AllowMissing: true}); err == nil {
		t.Errorf("got paths %q, want an error", d.Paths)
	}
}

// A pattern matches what doublestar alone matches.
func FuzzPattern(f *testing.F) {
	for _, glob := range append(DefaultLocks("sub"), "**", "a/{b/c,d}.nix", "{a/b,c}", "x[a/]b", `a\*b`, "*/b*c", "[ab]c/d?e", "**/") {
		for _, path := range []string{"flake.lock", "sub/flake.lock", "a/b/c.nix", "a/d.nix", "c", "go.work.sum", "x/go.mod", "xab", "a*b", "a/bxc", "ac/dxe", "a/b"} {
			f.Add(glob, path)
		}
	}
	f.Fuzz(func(t *testing.T, glob, path string) {
		if checkPattern(glob) != nil || path == "" {
			return
		}
		if got, want := newPattern(glob).matches(path), doublestar.MatchUnvalidated(glob, path); got != want {
			t.Errorf("%q matches %q: got %v, doublestar returns %v", glob, path, got, want)
		}
	})
}
