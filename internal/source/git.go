package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"cachekey/internal/disk"
	"cachekey/internal/environ"
	"cachekey/internal/message"
)

// An indexEntry is a path in git's index, with its conflict stages merged.
type indexEntry struct {
	path       string // raw bytes, slash-separated
	commit     string // of a gitlink (a submodule), hexadecimal
	conflict   bool
	gitlink    bool
	unchanged  bool // marked with `git update-index --assume-unchanged`
	inHead     bool // in HEAD's tree; set for gitlinks and for unchanged only
	headIsFile bool // in HEAD's tree, and not a gitlink there
}

// A repository is a git work tree and its index.
type repository struct {
	root       string
	index      string     // the index file
	indexStamp disk.Stamp // of that file, taken before it was read; zero if unknown
	ignoreCase bool       // core.ignorecase
	settings   []environ.Setting
	entries    []indexEntry
}

// openRepository reads the index of the work tree at root. It runs git, which
// reads every index format and decides whether this user may read the repository.
func openRepository(ctx context.Context, root string) (*repository, error) {
	r := &repository{root: root}
	ordinary := filepath.Join(root, ".git", "index")
	before, _ := disk.Lstat(ordinary)
	var top, listing []byte
	group, running := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		top, err = r.git(running, "rev-parse", "--show-toplevel", "--git-path", "index")
		return err
	})
	group.Go(func() (err error) {
		listing, err = r.git(running, "ls-files", "-z", "--stage", "-v", "--full-name")
		return err
	})
	group.Go(func() error {
		out, err := r.git(running, "config", "--type=bool", "--get", "core.ignorecase")
		r.ignoreCase = err == nil && string(out) == "true\n"
		return nil // git exits 1 where it is not set; rev-parse reports real errors
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	// The root itself may contain newlines, so the output is not split at them.
	index, ok := strings.CutPrefix(string(top), root+"\n")
	if !ok {
		return nil, message.WithHint(fmt.Errorf("the work tree of the git repository at %q is elsewhere (core.worktree): git rev-parse prints %q", root, top),
			"Nix reads the files of one and the list of the other; pass the hash with --nar-hash")
	}
	index = strings.TrimSuffix(index, "\n")
	if !filepath.IsAbs(index) {
		index = filepath.Join(root, index)
	}
	r.index = index
	if index == ordinary {
		r.indexStamp = before
	}
	if err := r.parse(listing); err != nil {
		return nil, err
	}
	return r, r.askHead(ctx)
}

// parse reads the output of `git ls-files -z --stage -v`. For each entry that is
// a tag (lower case for assume-unchanged), the mode, object id and stage, a tab,
// and the path, which ends with NUL.
func (r *repository) parse(listing []byte) error {
	r.entries = make([]indexEntry, 0, bytes.Count(listing, []byte{0}))
	// All paths share one string, because all are kept.
	for text := string(listing); text != ""; {
		record, rest, ok := strings.Cut(text, "\x00")
		head, path, tab := strings.Cut(record, "\t")
		tag, head, _ := strings.Cut(head, " ")
		mode, head, _ := strings.Cut(head, " ")
		id, stage, fields := strings.Cut(head, " ")
		if !ok || !tab || !fields || path == "" {
			return fmt.Errorf("git ls-files printed %q, which is not an index entry", record)
		}
		text = rest
		e := indexEntry{
			path:      path,
			conflict:  stage != "0",
			gitlink:   mode == "160000",
			unchanged: tag >= "a" && tag <= "z",
		}
		if e.gitlink {
			e.commit = id
		}
		if n := len(r.entries); n > 0 && r.entries[n-1].path == path {
			r.entries[n-1].conflict = true // another stage of the same path
			continue
		}
		r.entries = append(r.entries, e)
	}
	return nil
}

// askHead sets inHead and headIsFile of the few entries for which they matter.
func (r *repository) askHead(ctx context.Context) error {
	ask := map[string]*indexEntry{}
	args := []string{"ls-tree", "-z", "--full-tree", "HEAD", "--"}
	for i := range r.entries {
		if e := &r.entries[i]; e.gitlink || e.unchanged {
			ask[e.path] = e
			args = append(args, e.path)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	if _, err := r.git(ctx, "rev-parse", "--quiet", "--verify", "HEAD"); err != nil {
		return nil // no commit yet
	}
	if len(args) > 1000 { // far below the system's limit on arguments
		args = []string{"ls-tree", "-r", "-z", "--full-tree", "HEAD"}
	}
	out, err := r.git(ctx, args...)
	if err != nil {
		return message.WithHint(err, "if this is a partial clone that lacks the commit's trees, fetch them: git -C %q ls-tree -r HEAD", r.root)
	}
	for _, record := range strings.Split(string(out), "\x00") {
		head, path, _ := strings.Cut(record, "\t")
		// A directory is not an entry of HEAD; the files in it are.
		if e := ask[path]; e != nil && !strings.HasPrefix(head, "040000 ") {
			e.inHead = true
			e.headIsFile = !strings.HasPrefix(head, "160000 ")
		}
	}
	return nil
}

// warnOfSubmodules warns of submodules that are checked out in another state than
// the one that the index records, which is the one that counts.
func (t *Tree) warnOfSubmodules(ctx context.Context) {
	for i := range t.submodules {
		s := &t.submodules[i]
		sub := &repository{root: t.abs(s.path)}
		if there, err := exists(filepath.Join(sub.root, ".git")); err != nil || !there {
			continue
		}
		head, err := sub.git(ctx, "rev-parse", "--quiet", "--verify", "HEAD")
		if err != nil {
			continue // git and Nix have no opinion on it either
		}
		if commit := string(s.kept.contents); strings.TrimSpace(string(head)) != commit {
			t.Warnings = append(t.Warnings, fmt.Sprintf("the submodule %q is at another commit than the one that counts, %s: git add it, or git submodule update", s.path, commit))
		} else if sub.dirty(ctx) {
			t.Warnings = append(t.Warnings, fmt.Sprintf("the submodule %q has changes that do not count: neither Nix nor the key sees them", s.path))
		}
	}
}

// dirty reports whether a file that git tracks in r differs from the index, or the
// index from HEAD. Filters, which are programs, are not run.
func (r *repository) dirty(ctx context.Context) bool {
	filters, _ := r.git(ctx, "config", "-z", "--name-only", "--get-regexp", `^filter\.`)
	for _, name := range splitNUL(filters) {
		r.settings = append(r.settings, environ.Setting{Name: name})
	}
	changes, err := r.git(ctx, "ls-files", "-z", "--modified", "--deleted")
	if err != nil || len(changes) > 0 {
		return err == nil
	}
	changes, err = r.git(ctx, "diff-index", "-z", "--cached", "--name-only", "--no-ext-diff", "--no-textconv", "--ignore-submodules", "HEAD", "--")
	return err == nil && len(changes) > 0
}

// git runs git in the work tree and returns its output. The error contains what
// git wrote to stderr.
func (r *repository) git(ctx context.Context, args ...string) ([]byte, error) {
	return r.gitWithInput(ctx, nil, args...)
}

// gitWithInput is git for a command that reads its standard input.
func (r *repository) gitWithInput(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", r.root}, args...)...)
	cmd.Env = r.environ()
	cmd.WaitDelay = time.Second // an interrupt kills git; what git has started may go on
	var stdout, stderr bytes.Buffer
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, message.WithHint(errors.New("git is not installed or not on PATH"), "%q is a git work tree, and git lists its files: install git", r.root)
		}
		if text := strings.TrimSpace(stderr.String()); text != "" {
			return nil, fmt.Errorf("git %s: %s", args[0], text)
		}
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return stdout.Bytes(), nil
}

// environ returns the environment of git. It has no secrets, and no variables
// that select another repository or index, because Nix's libgit2 ignores them.
// Variables that configure git (safe.directory, for one) stay. Git must not fetch
// the objects that a partial clone lacks: .git/config says by which program.
func (r *repository) environ() []string {
	return append(environ.WithGit(r.settings, "GIT_EXEC_PATH"),
		"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_REPLACE_OBJECTS=1",
		"GIT_ALLOW_PROTOCOL=none", // older gits know no GIT_NO_LAZY_FETCH
		"GIT_LITERAL_PATHSPECS=1", // ":(top)x" is a path
		// With a broken .git, git must not use a repository further up.
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(r.root),
	)
}
