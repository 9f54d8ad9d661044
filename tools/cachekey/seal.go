package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/seal"
)

func sealCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "seal [flags]",
		Short: "before a save: record the files of the cache, for verify",
		Long: `Write .same/seal.json: the document of the key, and the path, size and digest of
every file below .same/store and .same/cache. The digest of a blob, which is the
contents of an output, is its name. Run it last before the save, after
prune: same removes the seal before it changes anything that the seal covers.

If CACHEKEY_SEAL_KEY is set (a secret of at least 16 bytes), it authenticates the
seal, and verify accepts no other seal.`,
		Example: `  $ cachekey key --json > key.json    before the build
  $ cachekey prune && cachekey seal --key-file key.json`,
	}
	fs := c.Flags()
	options := keyFlags(fs, o)
	keyFile := keyFileFlag(fs)
	c.RunE = func(c *cobra.Command, _ []string) error {
		at, err := sealing(o, options)
		if err != nil {
			return err
		}
		doc, err := documentOf(c.Context(), o, *keyFile, at.options)
		if err != nil {
			return err
		}
		sealed := newProgress(o, "sealing")
		defer sealed.stop()
		result, err := seal.Make(c.Context(), seal.MakeOptions{Root: at.root, Doc: doc, Key: at.secret, Warnf: o.Warnf, Progress: sealed.read})
		if err != nil {
			return refused(err)
		}
		o.Infof("sealed %s, %s, under %s", count(int(result.Files), "file"), cli.Bytes(result.Bytes), doc.Key)
		return nil
	}
	return c
}

// A place is the state that both seal and verify need.
type place struct {
	options key.Options
	root    string       // of the workspace
	secret  *seal.MACKey // nil without one
}

func sealing(o *cli.IO, options func() (key.Options, error)) (p place, err error) {
	if p.options, err = options(); err != nil {
		return p, err
	}
	if p.secret, err = seal.DeriveKey(o.Getenv(seal.SecretVariable)); err != nil {
		return p, cli.UsageError{Err: err}
	}
	p.root, err = manifest.Root(p.options.Dir)
	if err == nil {
		warnOfSharedStore(o, p.root)
	}
	return p, cli.Unreadable(err)
}

// warnOfSharedStore warns if same has its results elsewhere than in .same.
func warnOfSharedStore(o *cli.IO, root string) {
	store, err := dotsame.SharedStore(root, o.Dir, os.LookupEnv)
	if err == nil && store != "" {
		o.Warnf("same has the results of this workspace in %s, but only %s is saved and restored: set %s to nothing", message.Name(store), dotsame.Store, dotsame.StoreVariable)
	}
}

func verifyCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify [flags]",
		Short: "after a restore: remove files that do not match the seal",
		Long: `Check every file below .same/store and .same/cache against .same/seal.json, and
remove files that were altered, that the seal does not list, or that are not regular
files. Blobs, the contents of outputs, are checked by name and size only: same hashes
each before it uses it. With --deep they are hashed here. If the seal itself is broken, or for another system or other locks, all files
are removed: a bad cache becomes a miss, and does not fail the build unless --strict
is given. Run it only on a restored cache: without a seal it removes everything.

If CACHEKEY_SEAL_KEY is set, only a seal that was made with the same secret counts.
An empty secret counts as none, because forks get an empty one.

--key also checks that the restore did not change the tree since the key was
computed, because an archive can write outside .same. If it did, the exit code is 1.
It also accepts only a seal with the same prefix, schema, extras and system.

--key-file names the document of that key. If it lists the untracked files (key
--json --untracked, or key --github), verify also compares the files that git
neither tracks nor ignores: one that has appeared or changed counts as a change of
the tree.

--github sets the outputs state (whole, partial or none), kept, removed and missing.
With --matched-key, the key under which the cache found the entry, it also sets
hit-kind (exact, partial or none) and cache-hit (true if exact).`,
		Example: `  $ cachekey verify
  $ cachekey verify --strict`,
	}
	fs := c.Flags()
	options := keyFlags(fs, o)
	want := fs.String("key", "", "`KEY` that was computed before the restore")
	keyFile := fs.String("key-file", "", "`FILE` that key --json wrote before the restore; its key is the default of --key")
	matched := fs.String("matched-key", "", "`KEY` of the entry that was restored; needs --key")
	deep := fs.Bool("deep", false, "also hash the contents of outputs")
	strict := fs.Bool("strict", false, "exit with 1 if a file did not match the seal")
	asJSON := fs.Bool("json", false, "print the result as JSON")
	forGitHub := fs.Bool("github", false, "append the result to the file $GITHUB_OUTPUT")
	c.RunE = func(c *cobra.Command, _ []string) error {
		at, err := sealing(o, options)
		if err != nil {
			return err
		}
		var given expected
		if fs.Changed("key-file") {
			if given.doc, err = readDocument(o, *keyFile); err != nil {
				return err
			}
			given.file = o.Path(*keyFile)
			if !fs.Changed("key") {
				*want = given.doc.Key
			} else if *want != given.doc.Key {
				return cli.Usagef("--key-file is the document of the key %.200s, not of --key", given.doc.Key)
			}
		}
		if *want != "" || fs.Changed("key") {
			if given.key, err = key.ParseKey(*want); err != nil {
				return cli.UsageError{Err: err}
			}
		}
		if fs.Changed("matched-key") && given.key == nil {
			return cli.Usagef("--matched-key needs --key, the key to compare it with")
		}
		if *forGitHub { // fail before anything is removed
			if err := appendOutputs(o.Getenv); err != nil {
				return err
			}
		}
		v, failed := verify(c.Context(), o, at, given, *deep)
		if v == nil {
			return failed
		}
		if failed == nil || v.Reason != "" {
			printVerdict(o, v)
		}
		outputs := verdictOutputs(v)
		if fs.Changed("matched-key") {
			kind := hitKind(v, *matched == *want)
			o.Infof("hit: %s", kind)
			outputs = append(outputs,
				output{Name: "hit-kind", Value: kind},
				output{Name: "cache-hit", Value: strconv.FormatBool(kind == "exact")})
		}
		if *forGitHub {
			failed = message.Join(failed, appendOutputs(o.Getenv, outputs...))
		}
		if *asJSON {
			failed = message.Join(failed, o.PrintJSON(v))
		}
		if failed == nil && *strict && v.Flawed() {
			return cli.ErrFailed
		}
		return failed
	}
	return c
}

// An expected holds what was known before the restore.
type expected struct {
	key  *key.Segments // nil without --key
	doc  *key.Document // nil without --key-file
	file string        // the path of --key-file
}

// verify returns the verdict, and an error if the restored state must not be used for
// a reason other than its own contents.
func verify(ctx context.Context, o *cli.IO, at place, given expected, deep bool) (*seal.Verdict, error) {
	at.options.Untracked = given.doc != nil && given.doc.Untracked != nil
	at.options.WithoutTree = given.key == nil
	doc, err := compute(ctx, o, at.options)
	if err != nil {
		v, cleared := seal.Empty(at.root, "this checkout has no key", o.Warnf)
		return v, message.Join(err, cleared)
	}
	locks, tree := doc.Ingredient("locks").Digest, doc.Ingredient("tree").Digest
	head := ""
	if given.key != nil {
		locks, head = given.key.Locks, given.key.Head
	}
	if given.key != nil && given.key.Tree != tree {
		v, cleared := seal.Empty(at.root, "the tree is not the one of --key", o.Warnf)
		return v, message.Join(message.WithHint(
			fmt.Errorf("the tree changed after the key was computed: its digest is %s, and %s in the key", tree, given.key.Tree),
			"a restored archive can write outside .same: see git status, and drop that entry from the cache"), cleared)
	}
	if at.options.Untracked {
		if given.doc.UntrackedTruncated || doc.UntrackedTruncated {
			o.Warnf("there are more untracked files than the key's document lists: not all of them are compared")
		}
		if paths := appeared(given, doc, at.root); len(paths) > 0 {
			v, cleared := seal.Empty(at.root, "untracked files are not those of --key-file", o.Warnf)
			return v, message.Join(message.WithHint(
				fmt.Errorf("untracked files appeared or changed after the key was computed: %s", listed(paths)),
				"a restored archive can write outside .same: remove them, and drop that entry from the cache"), cleared)
		}
	}
	verifying := newProgress(o, "verifying")
	defer verifying.stop()
	return seal.Verify(ctx, seal.VerifyOptions{
		Root: at.root, System: doc.System, Locks: locks, Head: head, Key: at.secret, Deep: deep,
		Report: func(f seal.Finding) { o.Infof("%s", f) }, Warnf: o.Warnf, Progress: verifying.read,
	})
}

// appeared returns the paths of the untracked files in now that given does not have,
// or that differ. The document itself may be in the workspace, and was written after
// the files were listed.
func appeared(given expected, now *key.Document, root string) (paths []string) {
	had := make(map[key.UntrackedFile]bool, len(given.doc.Untracked))
	for _, f := range given.doc.Untracked {
		had[f] = true
	}
	for _, f := range now.Untracked {
		if !had[f] && !isBelow(root, string(f.Path), given.file) {
			paths = append(paths, message.Quote(string(f.Path)))
		}
	}
	return paths
}

// isBelow reports whether path, relative to dir or to a directory above it, is file.
func isBelow(dir, path, file string) bool {
	file, err := filepath.Abs(file)
	if err != nil {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		if filepath.Join(dir, path) == file {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// listed joins the first few of names.
func listed(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

func printVerdict(o *cli.IO, v *seal.Verdict) {
	kept := fmt.Sprintf("%s, %s", count(int(v.Kept), "file"), cli.Bytes(v.KeptBytes))
	switch {
	case v.Reason != "":
		o.Warnf("the restored cache was dropped, %s and %s: %s", entries(v.Removed), cli.Bytes(v.RemovedBytes), v.Reason)
	case v.Flawed():
		o.Warnf("removed %d that did not match the seal; %d missing; kept %s", v.Removed, v.Missing, kept)
	case v.State == seal.None:
		o.Infof("nothing was restored")
	default:
		o.Infof("all files match the seal: %s", kept)
	}
}

// verdictOutputs returns the outputs that --github always adds.
func verdictOutputs(v *seal.Verdict) []output {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []output{
		{Name: "state", Value: v.State},
		{Name: "kept", Value: number(v.Kept)},
		{Name: "removed", Value: number(v.Removed)},
		{Name: "missing", Value: number(v.Missing)},
	}
}

// hitKind returns the kind of hit after verify: exact if the entry was found under
// the key itself and is complete, partial if some of it is left.
func hitKind(v *seal.Verdict, sameKey bool) string {
	switch {
	case v.State == seal.None:
		return "none"
	case v.State == seal.Whole && sameKey:
		return "exact"
	}
	return "partial"
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.FormatInt(n, 10) + " entries"
}
