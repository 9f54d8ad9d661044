package source

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/zeebo/blake3"

	"cachekey/internal/disk"
)

// Forgotten returns the paths of files that git neither tracks nor ignores and
// for which match returns true. In new directories it looks only for names: the
// files for which people forget `git add`.
func (t *Tree) Forgotten(ctx context.Context, match func(path string) bool, names []string) ([]string, error) {
	if t.repository == nil {
		return nil, nil
	}
	others, err := t.repository.list(ctx, "--directory", "--exclude-standard") // a directory ends in a slash
	if err != nil {
		return nil, err
	}
	var all []string
	for _, p := range others {
		if !strings.HasSuffix(p, "/") {
			if match(p) {
				all = append(all, p)
			}
			continue
		}
		for _, n := range names {
			inside := path.Join(p, n)
			if there, err := exists(t.abs(inside)); err == nil && there && match(inside) {
				all = append(all, inside)
			}
		}
	}
	return all, nil
}

// list returns the paths that git does not track, and that flags select.
func (r *repository) list(ctx context.Context, flags ...string) ([]string, error) {
	out, err := r.git(ctx, append([]string{"ls-files", "-z", "--others"}, flags...)...)
	return splitNUL(out), err
}

// These limit what Untracked lists and reads.
const (
	maxUntracked      = 100_000
	maxUntrackedBytes = 1 << 30 // 1 GiB
)

// An Untracked is a file that git neither tracks nor ignores.
type Untracked struct {
	Path   string // slash-separated, relative to the tree's root, raw bytes
	Type   byte   // 'f' a file, 'l' a symbolic link
	Size   int64  // of the contents; of a link, of its target
	Digest string // BLAKE3 in hexadecimal; "" for a file that does not fit into 1 GiB with those before it
}

// Untracked returns the files that git does not track, in bytewise order of Path,
// except those that a .gitignore ignores which is itself in the tree: any other
// may have come with the files. It leaves out everything in a directory called
// .git, or that skip names. It reports whether there are more files than it lists.
func (t *Tree) Untracked(ctx context.Context, skip string) (files []Untracked, truncated bool, err error) {
	files = []Untracked{}
	if t.repository == nil {
		return files, false, nil // all files are in the tree
	}
	paths, err := t.repository.untrackedPaths(ctx)
	if err != nil {
		return nil, false, err
	}
	l := &untrackedLister{ctx: ctx, tree: t, skip: skip, seen: map[string]bool{}, files: files}
	for _, p := range paths {
		if err := l.add(strings.TrimSuffix(p, "/")); err != nil {
			return nil, false, err
		}
	}
	slices.SortFunc(l.files, func(a, b Untracked) int { return strings.Compare(a.Path, b.Path) })
	left := int64(maxUntrackedBytes)
	for i := range l.files {
		f := &l.files[i]
		if f.Type == 'f' && f.Size > left {
			continue
		}
		if err := l.hash(f); err != nil {
			return nil, false, err
		}
		left -= f.Size
	}
	return l.files, l.truncated, nil
}

// untrackedPaths returns what git does not track, without what a tracked
// .gitignore ignores. A directory may stand for all that is in it.
func (r *repository) untrackedPaths(ctx context.Context) ([]string, error) {
	paths, err := r.list(ctx, "--exclude-standard")
	if err != nil {
		return nil, err
	}
	ignored, err := r.list(ctx, "--ignored", "--exclude-standard", "--directory")
	if err != nil || len(ignored) == 0 {
		return paths, err
	}
	// check-ignore knows no literal pathspecs: a name that begins with a colon must not look like one.
	var asked bytes.Buffer
	for _, p := range ignored {
		fmt.Fprintf(&asked, "./%s\x00", p)
	}
	reasons, err := r.gitWithInput(ctx, asked.Bytes(), "--no-literal-pathspecs", "check-ignore", "-z", "--stdin", "--verbose", "--non-matching", "--no-index")
	if err != nil {
		return nil, err
	}
	tracked := map[string]bool{}
	for i := range r.entries {
		if p := r.entries[i].path; path.Base(p) == ".gitignore" {
			tracked[p] = true
		}
	}
	// Four fields a path: the file of the pattern, its line, the pattern, the path.
	for fields := strings.Split(string(reasons), "\x00"); len(fields) > 4; fields = fields[4:] {
		if !tracked[fields[0]] {
			paths = append(paths, strings.TrimPrefix(fields[3], "./"))
		}
	}
	return paths, nil
}

func splitNUL(text []byte) []string {
	return strings.FieldsFunc(string(text), func(c rune) bool { return c == 0 })
}

type untrackedLister struct {
	ctx       context.Context
	tree      *Tree
	skip      string
	seen      map[string]bool
	files     []Untracked
	truncated bool
}

// add lists what is at path, and everything in it.
func (l *untrackedLister) add(path string) error {
	if err := l.ctx.Err(); err != nil || l.seen[path] {
		return err
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == ".git" || name == l.skip {
			return nil
		}
	}
	l.seen[path] = true
	st, err := disk.LstatAt(l.tree.dir.FD(), path)
	if err != nil {
		return changed(l.tree.error("lstat", path, err))
	}
	kind := st.Kind()
	if kind == disk.Directory {
		names, err := l.tree.names(path)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := l.add(path + "/" + name); err != nil {
				return err
			}
		}
		return nil
	}
	if kind != disk.File && kind != disk.Link {
		return nil // no task can read it as an input
	}
	if len(l.files) == maxUntracked {
		l.truncated = true
		return nil
	}
	f := Untracked{Path: path, Type: 'f', Size: st.Size}
	if kind == disk.Link {
		f.Type = 'l'
	}
	l.files = append(l.files, f)
	return nil
}

// hash sets the digest and the size of f.
func (l *untrackedLister) hash(f *Untracked) error {
	st, err := disk.LstatAt(l.tree.dir.FD(), f.Path)
	if err != nil {
		return changed(l.tree.error("lstat", f.Path, err))
	}
	h := blake3.New()
	n := &Node{path: f.Path, kind: st.Kind(), stamp: st}
	if f.Type == 'l' {
		target, err := l.tree.Target(n)
		if err != nil {
			return err
		}
		f.Size = int64(len(target))
		_, _ = h.WriteString(target)
	} else if err := l.tree.Copy(h, n); err != nil {
		return err
	}
	f.Digest = hex.EncodeToString(h.Sum(nil))
	return nil
}
