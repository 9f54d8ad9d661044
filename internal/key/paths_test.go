package key

import (
	"slices"
	"testing"
)

// The paths lie under the workspace's root, wherever in the checkout that is.
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
			want := []string{c.want + "store", c.want + "cache", c.want + "seal.json"}
			if !slices.Equal(d.Paths, want) {
				t.Errorf("%q, want %q", d.Paths, want)
			}
		})
	}
}

func TestWorkspaceOutside(t *testing.T) {
	dir := t.TempDir()
	layOut(t, dir, []string{"f same.work.yaml x", "f flake/flake.nix x", "f flake/same.yaml x"})
	if d, err := Compute(t.Context(), Options{Dir: dir + "/flake", AllowMissing: true}); err == nil {
		t.Errorf("paths %q", d.Paths)
	}
}
