package key

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"cachekey/internal/message"
	"cachekey/internal/source"
)

// DefaultPrefix begins a key where no other prefix is given.
const DefaultPrefix = "same"

// Options select the key that Compute returns. The zero value means every default.
type Options struct {
	Dir    string // where to look for the flake; "" is the working directory
	Prefix string // first segment; DefaultPrefix if empty
	System string // Nix's name; this machine's if empty

	// Locks and TaskFiles replace the default patterns of their ingredient.
	// They are doublestar globs relative to the git root (outside git: to the
	// flake's directory). Each must match a file.
	Locks, TaskFiles []string

	// Extra separates the keys of jobs that share a tree: a matrix, or jobs that
	// run different tasks.
	Extra map[string]string

	// PathsFrom is the directory that Document.Paths are relative to; the root of
	// the tree if empty. The workspace must be in it.
	PathsFrom string

	NarHash      string // SRI; computed if empty
	AllowMissing bool   // a missing flake, flake.lock, manifest or match is not an error

	WithoutTree bool // leaves out the narHash, zeros for it: for callers that need only locks
	Untracked   bool // lists the files that git neither tracks nor ignores

	Progress func(done, total int64) // see source.Options

	tree source.Hash // NarHash parsed, if it is given
}

// segment matches a prefix and a system: the alphabet of a key.
var segment = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// check fills in defaults and validates.
func (o *Options) check() error {
	o.Dir = cmp.Or(o.Dir, ".")
	o.Prefix = cmp.Or(o.Prefix, DefaultPrefix)
	if o.System == "" {
		o.System = System(runtime.GOOS, runtime.GOARCH)
	}
	for _, s := range []struct{ what, value string }{{"prefix", o.Prefix}, {"system", o.System}} {
		if !segment.MatchString(s.value) {
			return fmt.Errorf("the %s %q has characters other than A-Z a-z 0-9 . _ -", s.what, s.value)
		}
	}
	for name, value := range o.Extra {
		if name == "" {
			return fmt.Errorf("an extra has no name")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fmt.Errorf("the extra %q=%q is not UTF-8", name, value) // a document could not have it
		}
	}
	for _, p := range slices.Concat(o.Locks, o.TaskFiles) {
		if err := checkPattern(p); err != nil {
			return err
		}
	}
	if o.NarHash != "" {
		hash, err := source.ParseHash(o.NarHash)
		if err != nil {
			return err
		}
		o.tree = hash
	}
	return nil
}

func checkPattern(p string) error {
	switch {
	case p == "":
		return fmt.Errorf("empty pattern")
	case !utf8.ValidString(p):
		return fmt.Errorf("the pattern %q is not UTF-8", p)
	case !doublestar.ValidatePattern(p):
		return message.WithHint(fmt.Errorf("%q is not a pattern", p), "patterns have * ? ** [class] and {a,b}; a literal bracket is \\[")
	case strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") || strings.HasPrefix(p, "./"):
		return message.WithHint(fmt.Errorf("the pattern %q cannot match a file", p), "patterns are relative to the git root, without ./ or ../")
	}
	return nil
}

// System returns Nix's name of the system that Go calls goos and goarch. Nix has
// several for a 32-bit arm, of which armv7l is the one that most machines have.
func System(goos, goarch string) string {
	cpu := cmp.Or(map[string]string{
		"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l",
		"ppc64le": "powerpc64le", "ppc64": "powerpc64", "loong64": "loongarch64", "mipsle": "mipsel", "mips64le": "mips64el",
	}[goarch], goarch) // riscv64, s390x, mips, mips64: as Go names them
	return cpu + "-" + goos
}

// ParseExtra parses the NAME=VALUE pairs of a command line.
func ParseExtra(pairs []string) (map[string]string, error) {
	extra := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("the extra %q is not NAME=VALUE", pair)
		}
		if _, twice := extra[name]; twice {
			return nil, fmt.Errorf("the extra %q is repeated", name)
		}
		extra[name] = value
	}
	return extra, nil
}
