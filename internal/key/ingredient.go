package key

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/nix-community/go-nix/pkg/nixbase32"
	"github.com/zeebo/blake3"

	"cachekey/internal/disk"
	"cachekey/internal/message"
	"cachekey/internal/source"
)

// DefaultTaskFiles are the patterns of the tasks ingredient: same's manifests.
var DefaultTaskFiles = []string{"**/same.yaml", "**/same.work.yaml"}

// DefaultLocks returns the patterns of the locks ingredient for a flake in the
// directory flakeDir, which is relative to the git root, slash-separated.
func DefaultLocks(flakeDir string) []string {
	return []string{
		path.Join(escape(flakeDir), "flake.lock"), // the toolchain, by revision
		"**/flake.lock",                 // that of another flake in the repository, such as a devShell's own
		"**/*.nix",                      // flake.nix, and what it imports
		"**/go.{mod,sum,work,work.sum}", // go.sum alone is a log, not a lock
	}
}

// escape returns the pattern that matches only the path p.
func escape(p string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, "{", `\{`, "}", `\}`).Replace(p)
}

// A selection is the files of an ingredient: patterns, and what they match.
type selection struct {
	name       string
	patterns   []pattern
	given      bool   // by the user: then each of them must match a file
	flag       string // with which the user gives them
	mustMatch  int    // how many of the default patterns, from the first on, must each match; if 0, any one of them
	submodules bool   // are entries too
	lock       string // the flake's flake.lock, which must not be a link
	nodes      []*source.Node
}

// use takes the given patterns, or the defaults if there are none.
func (s *selection) use(given, defaults []string) {
	globs := defaults
	if len(given) > 0 {
		globs, s.given, s.mustMatch = given, true, len(given)
	}
	for _, g := range globs {
		s.patterns = append(s.patterns, newPattern(g))
	}
}

// add takes n if it is selected. It notes which patterns match.
func (s *selection) add(t *source.Tree, n *source.Node) {
	if n.Type() == 'g' {
		if s.submodules {
			s.nodes = append(s.nodes, n)
		}
		return
	}
	selected := false
	for i := range s.patterns {
		if p := &s.patterns[i]; !(selected && p.matched) && p.matches(n.Path()) {
			selected, p.matched = true, true
		}
	}
	if selected {
		t.Keep(n)
		s.nodes = append(s.nodes, n)
	}
}

// follow adds the files that selected symbolic links lead to, and the links on the
// way. What exists but is not in the tree is an error, unless lenient.
func (s *selection) follow(t *source.Tree, lenient bool) error {
	for _, n := range slices.Clone(s.nodes) {
		if n.Type() != 'l' {
			continue
		}
		if n.Path() == s.lock {
			return message.WithHint(fmt.Errorf("%q is a symbolic link, which Nix refuses", filepath.Join(t.Root, n.Path())), "put the lock itself there")
		}
		way, outside, err := t.Follow(n)
		if err != nil {
			return err
		}
		if outside != "" && !lenient {
			return message.WithHint(fmt.Errorf("%q leads to %q, which is not in the tree, so the key does not see when it changes",
				filepath.Join(t.Root, n.Path()), outside), "git add it, or put the file itself there")
		}
		for _, n := range way {
			t.Keep(n)
			s.nodes = append(s.nodes, n)
		}
	}
	return nil
}

// ingredient hashes the selected files of t.
func (s *selection) ingredient(t *source.Tree) (Ingredient, error) {
	in := Ingredient{Name: s.name, Files: make([]File, 0, len(s.nodes))}
	slices.SortFunc(s.nodes, func(a, b *source.Node) int {
		return cmp.Or(strings.Compare(a.Path(), b.Path()), cmp.Compare(a.Type(), b.Type()))
	})
	d := newDigest(s.name)
	s.nodes = slices.CompactFunc(s.nodes, func(a, b *source.Node) bool { return a == b }) // several links to one file
	for _, n := range s.nodes {
		size, write := n.Size(), func(w io.Writer) error { return t.Copy(w, n) }
		if n.Type() == 'l' {
			target, err := t.Target(n)
			if err != nil {
				return in, err
			}
			size = int64(len(target))
			write = func(w io.Writer) error {
				_, err := io.WriteString(w, target)
				return err
			}
		}
		own, err := d.entry(n.Path(), n.Type(), size, write)
		if err != nil {
			return in, err
		}
		in.Files = append(in.Files, File{disk.Path(n.Path()), string(n.Type()), own})
	}
	in.Digest = d.segment()
	return in, nil
}

// missing returns an error for the first pattern that must match a file and does
// not.
func (s *selection) missing(ctx context.Context, t *source.Tree) error {
	for i, p := range s.patterns[:s.mustMatch] {
		if !p.matched {
			return s.missingError(ctx, t, s.patterns[i:i+1])
		}
	}
	if s.mustMatch == 0 && !slices.ContainsFunc(s.patterns, func(p pattern) bool { return p.matched }) {
		return s.missingError(ctx, t, s.patterns)
	}
	return nil
}

func (s *selection) missingError(ctx context.Context, t *source.Tree, unmatched []pattern) error {
	var names []string
	for _, p := range unmatched {
		names = append(names, p.glob)
	}
	globs := strings.Join(names, " or ")
	err := fmt.Errorf("no file in %q matches %s", t.Root, globs)
	if t.Git {
		err = fmt.Errorf("no file that git tracks in %q matches %s", t.Root, globs)
		if untracked, err := untracked(ctx, t, unmatched); err == nil && len(untracked) > 0 {
			return message.WithHint(fmt.Errorf("%q in %q is not tracked by git, so Nix does not see it", untracked[0], t.Root),
				"git -C %q add %q", t.Root, untracked[0])
		}
	}
	switch {
	case s.given:
		return message.WithHint(err, "correct the pattern given with %s, or do without it: --allow-missing", s.flag)
	case s.mustMatch > 0:
		return message.WithHint(err, "%s", withoutLock)
	}
	return message.WithHint(err, "write a same.yaml; %s names other files, --allow-missing does without", s.flag)
}

// withoutLock is the hint where there is no flake.lock.
const withoutLock = "nix flake lock makes one; --lock names other files, --allow-missing does without"

// untracked returns the files that patterns would match if git tracked them.
func untracked(ctx context.Context, t *source.Tree, patterns []pattern) ([]string, error) {
	var names []string
	for _, p := range patterns {
		names = append(names, literalNames(path.Base(p.glob))...)
	}
	return t.Forgotten(ctx, func(file string) bool {
		return slices.ContainsFunc(patterns, func(p pattern) bool { return p.matches(file) })
	}, names)
}

// literalNames returns the names that a pattern without wildcards matches.
func literalNames(pattern string) []string {
	open, shut := strings.IndexByte(pattern, '{'), strings.LastIndexByte(pattern, '}')
	if open >= 0 && open < shut {
		var names []string
		for choice := range strings.SplitSeq(pattern[open+1:shut], ",") {
			names = append(names, literalNames(pattern[:open]+choice+pattern[shut+1:])...)
		}
		return names
	}
	if strings.ContainsAny(pattern, `*?[]{}\`) {
		return nil
	}
	return []string{pattern}
}

// A pattern is a doublestar glob. The literal beginning and end of the last name
// reject most paths of a large tree at a fraction of the cost.
type pattern struct {
	glob           string
	prefix, suffix string // literal, of the last name
	matched        bool   // a file
}

func newPattern(glob string) pattern {
	p := pattern{glob: glob}
	const special = `*?[]{}\`
	last := glob[strings.LastIndexByte(glob, '/')+1:]
	// A slash between braces does not separate names.
	if dir := glob[:len(glob)-len(last)]; strings.ContainsAny(glob, `\`) || strings.ContainsAny(dir, "{[") {
		return p
	}
	if i := strings.IndexAny(last, special); i >= 0 {
		p.prefix, p.suffix = last[:i], last[strings.LastIndexAny(last, special)+1:]
	} else {
		p.prefix = last
	}
	return p
}

func (p pattern) matches(path string) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	return strings.HasPrefix(name, p.prefix) && strings.HasSuffix(name, p.suffix) && doublestar.MatchUnvalidated(p.glob, path)
}

// digestSize is 160 bits: in Nix's base 32 they are 32 characters, as in a
// store path, and enough that two ingredients with one digest cannot be found.
const digestSize = 20 // bytes

// Context returns the context string for BLAKE3's derive-key mode in which the
// ingredient called name is hashed. It separates the uses of the hash.
func Context(name string) string { return "cachekey " + Schema + " " + name }

// A digest hashes one ingredient. Every value is written with its length before
// it, so that two different sequences of values are never the same bytes.
type digest struct{ *blake3.Hasher }

func newDigest(name string) digest { return digest{blake3.NewDeriveKey(Context(name))} }

// length writes n as 64 bits, little-endian.
func (d digest) length(n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	d.Write(b[:])
}

func (d digest) string(s string) {
	d.length(int64(len(s)))
	d.WriteString(s)
}

// entry writes one entry of an ingredient and returns the BLAKE3 of its contents
// alone, in hexadecimal: what b3sum prints. The contents are the size bytes that
// write writes.
func (d digest) entry(path string, kind byte, size int64, write func(io.Writer) error) (string, error) {
	d.string(path)
	d.Write([]byte{kind})
	d.length(size)
	own := blake3.New()
	if err := write(io.MultiWriter(d.Hasher, own)); err != nil {
		return "", err
	}
	return hex.EncodeToString(own.Sum(nil)), nil
}

// segment returns the digest as a key has it.
func (d digest) segment() string {
	var b [digestSize]byte
	_, _ = d.Digest().Read(b[:]) // an extendable output never ends
	return nixbase32.EncodeToString(b[:])
}

// extraDigest returns the segment of the extras, or "" if there are none. A
// workspace that is not the root is the extra without a name.
func extraDigest(extra map[string]string, workspace string) string {
	if len(extra) == 0 && workspace == "" {
		return ""
	}
	h := newDigest("extra")
	if workspace != "" {
		h.string("")
		h.string(workspace)
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		h.string(name)
		h.string(extra[name])
	}
	return h.segment()
}
