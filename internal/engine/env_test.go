package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Each command is the one that GNU's env 9.1 starts, or for -P FreeBSD's.
func TestParseEnv(t *testing.T) {
	for _, c := range []struct {
		args    []string
		dir     string
		path    string // "-" if the arguments do not set it
		command []string
	}{
		{nil, "", "-", nil},
		{[]string{"node"}, "", "-", []string{"node"}},
		{[]string{"node", "-i", "A=b"}, "", "-", []string{"node", "-i", "A=b"}},
		{[]string{"node x"}, "", "-", []string{"node x"}},
		{[]string{"A=b", "PATH=/p:q", "node"}, "", "/p:q", []string{"node"}},
		{[]string{"-v", "--", "A=b", "node"}, "", "-", []string{"node"}},
		{[]string{"-i", "node"}, "", defaultPath, []string{"node"}},
		{[]string{"-", "node"}, "", defaultPath, []string{"node"}},
		{[]string{"--ignore-environment", "PATH=/p", "node"}, "", "/p", []string{"node"}},
		{[]string{"-u", "PATH", "node"}, "", defaultPath, []string{"node"}},
		{[]string{"-iuA", "node"}, "", defaultPath, []string{"node"}},
		{[]string{"-vu", "A", "node"}, "", "-", []string{"node"}},
		{[]string{"--unset=PATH", "node"}, "", defaultPath, []string{"node"}},
		{[]string{"--unset", "A", "node"}, "", "-", []string{"node"}},
		{[]string{"--ignore-signal=INT", "--block-signal", "node"}, "", "-", []string{"node"}},
		{[]string{"-C", "d", "node"}, "d", "-", []string{"node"}},
		{[]string{"-Cd", "node"}, "d", "-", []string{"node"}},
		{[]string{"--chdir=d", "node"}, "d", "-", []string{"node"}},
		{[]string{"--chd", "d", "node"}, "d", "-", []string{"node"}},
		{[]string{"-a", "name", "node"}, "", "-", []string{"node"}},
		{[]string{"-P", "/p", "node"}, "", "/p", []string{"node"}},
		{[]string{"-S", "node x", "y"}, "", "-", []string{"node", "x", "y"}},
		{[]string{"-S node  x", "y"}, "", "-", []string{"node", "x", "y"}},
		{[]string{"-vSnode x"}, "", "-", []string{"node", "x"}},
		{[]string{"--split-string=-i PATH=/p node"}, "", "/p", []string{"node"}},
		{[]string{"--split-string", "-u PATH node", "x"}, "", defaultPath, []string{"node", "x"}},
		{[]string{"--split=node"}, "", "-", []string{"node"}},
		{[]string{`-S 'my node' "a b"c`}, "", "-", []string{"my node", "a bc"}},
		{[]string{`-S node\_x "a\_b" \#y`}, "", "-", []string{"node", "x", "a b", "#y"}},
		{[]string{`-S node\cx y`}, "", "-", []string{"node"}},
		{[]string{"-S node x # y"}, "", "-", []string{"node", "x"}},
		{[]string{`-S '' '\a\'' \t`}, "", "-", []string{"", `\a'`, "\t"}},
		{[]string{`-S ${NODE} \${A} '${A}'`}, "", "-", []string{"\x00{NODE}", "${A}", "${A}"}},
		{[]string{"-u"}, "", "-", nil},
		{[]string{"-S"}, "", "-", nil},
	} {
		got := parseEnv(c.args)
		if got.hasPath != (c.path != "-") {
			got.path += fmt.Sprintf(" (set: %v)", got.hasPath)
		} else if !got.hasPath {
			got.path = "-"
		}
		if got.dir != c.dir || got.path != c.path || !slices.Equal(got.command, c.command) {
			t.Errorf("env %q: got %q in %q by %q, want %q in %q by %q", c.args, got.command, got.dir, got.path, c.command, c.dir, c.path)
		}
	}
}

// As a shell and env do, same passes over a program that others may execute, but not this
// user.
func TestLookPathPassesOverForbiddenProgram(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may execute every program")
	}
	dir := t.TempDir()
	for name, mode := range map[string]fs.FileMode{"forbidden": 0o655, "allowed": 0o755} {
		file := filepath.Join(dir, name, "node")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	got, err := lookPath("node", dir, []string{"PATH=forbidden:allowed"})
	if want := filepath.Join(dir, "allowed/node"); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
