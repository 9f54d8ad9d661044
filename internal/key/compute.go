package key

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nix-community/go-nix/pkg/nixbase32"
	"golang.org/x/sync/errgroup"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/source"
)

// MaxLength is the number of characters that GitHub allows for a key.
const MaxLength = 512

// Compute returns the key of the checkout that contains o.Dir.
func Compute(ctx context.Context, o Options) (*Document, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	opening := source.Options{WithoutFlake: o.AllowMissing || o.NarHash != "", Skip: madeByBuilds, Progress: o.Progress}
	if len(o.Locks) == 0 && !o.AllowMissing {
		opening.Needs = DefaultLocks("")[0]
	}
	t, err := source.Open(ctx, o.Dir, opening)
	if errors.As(err, new(*source.MissingError)) {
		return nil, message.WithHint(err, "is it a flake's directory? -C names another; %s", withoutLock)
	}
	if err != nil {
		return nil, err
	}
	defer t.Close()
	locks, tasks := o.selections(t)
	if !o.AllowMissing {
		for _, s := range []*selection{locks, tasks} {
			if err := s.missing(ctx, t); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range []*selection{locks, tasks} {
		if err := s.follow(t, o.AllowMissing); err != nil {
			return nil, err
		}
	}
	d := &Document{
		Schema: Schema, Prefix: o.Prefix, System: o.System, Extra: o.Extra,
		Ingredients: make([]Ingredient, 3), Warnings: []string{},
	}
	if d.Extra == nil {
		d.Extra = map[string]string{}
	}
	workspace, err := o.workspace(t)
	if err != nil {
		return nil, err
	}
	d.Workspace = disk.Path(workspace)
	if d.Paths, err = o.paths(t, workspace); err != nil {
		return nil, err
	}
	hash := o.tree
	var forgotten []string
	group, running := errgroup.WithContext(ctx)
	if o.NarHash == "" && !o.WithoutTree {
		group.Go(func() (err error) {
			hash, err = t.NarHash(running)
			return err
		})
	}
	group.Go(func() (err error) {
		forgotten, err = untracked(running, t, slices.Concat(locks.patterns, tasks.patterns))
		return err
	})
	if o.Untracked {
		group.Go(func() (err error) {
			d.Untracked, d.UntrackedTruncated, err = untrackedFiles(running, t)
			return err
		})
	}
	for i, s := range []*selection{locks, tasks} {
		group.Go(func() (err error) {
			d.Ingredients[i], err = s.ingredient(t)
			return err
		})
	}
	err = group.Wait()
	if errors.As(err, new(*source.ChangedError)) {
		return nil, message.WithHint(err, "run it again when nothing writes to the tree")
	}
	if err != nil {
		return nil, err
	}
	d.NarHash = hash.String()
	d.Ingredients[2] = Ingredient{Name: "tree", Digest: nixbase32.EncodeToString(hash[:]), Files: []File{}}
	d.Warnings = append(d.Warnings, t.Warnings...)
	for _, path := range forgotten {
		d.Warnings = append(d.Warnings, fmt.Sprintf("%q is not tracked by git, so neither Nix nor the key sees it: git add %q", path, path))
	}
	if dotSame := path.Join(workspace, dotsame.Name); t.Git && t.Has(dotSame) {
		d.Warnings = append(d.Warnings, fmt.Sprintf(
			"%q is tracked by git, so every run of a task changes the key: git rm -r -f --cached %q, and ignore it", dotSame, dotSame))
	}
	return d, d.assemble()
}

// untrackedFiles returns the files that git neither tracks nor ignores, for verify
// to find those that a restore added. No file in a .same is an input of a task.
func untrackedFiles(ctx context.Context, t *source.Tree) ([]UntrackedFile, bool, error) {
	files, truncated, err := t.Untracked(ctx, dotsame.Name)
	list := make([]UntrackedFile, 0, len(files))
	for _, f := range files {
		list = append(list, UntrackedFile{disk.Path(f.Path), string(f.Type), f.Size, f.Digest})
	}
	return list, truncated, err
}

// assemble sets the key and the restore keys. The segments are ordered from stable to
// volatile, so that a key without its last segments still matches a usable cache.
func (d *Document) assemble() error {
	head := d.Prefix + "-" + Schema + "-"
	if extra := extraDigest(d.Extra, string(d.Workspace)); extra != "" {
		head += extra + "-"
	}
	head += d.System + "-"
	locks := head + d.Ingredients[0].Digest + "-"
	tasks := locks + d.Ingredients[1].Digest + "-"
	d.Key = tasks + d.Ingredients[2].Digest
	d.RestoreKeys = []string{tasks, locks}
	if len(d.Key) > MaxLength {
		return fmt.Errorf("the key would have %d characters, and GitHub allows %d: take a shorter --prefix", len(d.Key), MaxLength)
	}
	return nil
}

// selections returns the files of the two ingredients that are made of files.
func (o *Options) selections(t *source.Tree) (locks, tasks *selection) {
	flakeDir, _ := below(t.Root, t.Flake) // "" without a flake

	// mustMatch is 1 because flake.lock is the first of the defaults.
	locks = &selection{name: "locks", flag: "--lock", mustMatch: 1, submodules: true, lock: path.Join(flakeDir, "flake.lock")}
	locks.use(o.Locks, DefaultLocks(flakeDir))
	tasks = &selection{name: "tasks", flag: "--task-file"}
	tasks.use(o.TaskFiles, DefaultTaskFiles)
	for n := range t.Files() {
		locks.add(t, n)
		tasks.add(t, n)
	}
	return locks, tasks
}

// NarHash returns the narHash of the tree that contains dir, as Compute takes it.
func NarHash(ctx context.Context, dir string) (string, error) {
	t, err := source.Open(ctx, dir, source.Options{Skip: madeByBuilds})
	if err != nil {
		return "", err
	}
	defer t.Close()
	hash, err := t.NarHash(ctx)
	return hash.String(), err
}

// madeByBuilds reports whether a build makes a file of this name in the root of a
// tree outside git. Such a file must not change the key.
func madeByBuilds(name string, isLink bool) bool {
	return name == ".git" || name == dotsame.Name || isLink && strings.HasPrefix(name, "result")
}

// workspace returns the slash-separated path of the workspace root relative to the
// tree's root; "" if they are the same directory.
func (o *Options) workspace(t *source.Tree) (string, error) {
	real, err := realPath(o.Dir)
	if err != nil {
		return "", err
	}
	root, err := manifest.RootFrom(real, t.ReadFile)
	if errors.As(err, new(*manifest.NotFoundError)) {
		return "", nil // the checkout counts as the workspace
	}
	if err != nil {
		return "", err
	}
	rel, ok := below(t.Root, root)
	if !ok {
		return "", message.WithHint(fmt.Errorf("the workspace root %q is outside %q, the tree of this key", root, t.Root),
			"a key does not cover manifests outside its tree: move them in, or compute the key of the outer directory with -C")
	}
	return rel, nil
}

// paths returns what CI carries, relative to o.PathsFrom. The list does not
// depend on what exists.
func (o *Options) paths(t *source.Tree, workspace string) ([]disk.Path, error) {
	rel := workspace
	if o.PathsFrom != "" {
		from, err := realPath(o.PathsFrom)
		if err != nil {
			return nil, err
		}
		root, ok := filepath.Join(t.Root, filepath.FromSlash(workspace)), false
		if rel, ok = below(from, root); !ok {
			return nil, message.WithHint(fmt.Errorf("the workspace root %q is outside %q, from where the cache step takes its paths", root, from),
				"check the repository out below that directory: actions/checkout with path")
		}
	}
	var all []disk.Path
	for _, p := range dotsame.Carried {
		all = append(all, disk.Path(path.Join(rel, p)))
	}
	return all, nil
}

// below returns the slash-separated path of dir relative to root, or "" if they are
// the same, and whether dir is in root.
func below(root, dir string) (rel string, ok bool) {
	rel, err := filepath.Rel(root, dir)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	if rel == "." {
		return "", true
	}
	return filepath.ToSlash(rel), true
}

// realPath returns the absolute path of dir without symbolic links.
func realPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}
