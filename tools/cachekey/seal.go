package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/seal"
)

func sealCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "seal [flags]",
		Short: "before a save: list what the cache holds, for verify",
		Long: `Write .same/seal.json: the document of the key, and path, size and digest of every
file below .same/store and .same/cache. Run it last before the save, after prune:
same removes the seal before it changes anything that the seal covers.

If CACHEKEY_SEAL_KEY is set (a secret of at least 16 bytes) the seal is
authenticated with it, and verify accepts no other seal.`,
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
		doc.Untracked, doc.UntrackedTruncated = nil, false // of this checkout, not of what is sealed
		sealed := newProgress(o, "sealing")
		defer sealed.stop()
		made, err := seal.Make(c.Context(), seal.MakeOptions{Root: at.root, Doc: doc, Key: at.secret, Warnf: o.Warnf, Progress: sealed.read})
		if err != nil {
			return refused(err)
		}
		o.Sayf("sealed %s, %s, under %s", count(int(made.Files), "file"), byteSize(made.Bytes), doc.Key)
		return nil
	}
	return c
}

// A place is what both seal and verify need before they begin.
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
	return p, err
}

func verifyCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify [flags]",
		Short: "after a restore: remove files that are not as they were sealed",
		Long: `Check every file below .same/store and .same/cache against .same/seal.json, and
remove files that are altered, that the seal does not list, or that are not plain
files. If the seal itself is broken, or of another system or other locks, all files
are removed: a bad cache becomes a miss, and does not fail the build unless --strict
is given. Run it on a restored cache only: without a seal it removes everything.

If CACHEKEY_SEAL_KEY is set, only a seal that was made with the same secret counts.
An empty secret counts as none, because forks get an empty one.

--key also checks that the restore did not change the tree since the key was
computed, because an archive can write outside .same. If it did, the exit code is 1.

--github sets the outputs state (whole, partial or none), kept, removed and missing.
With --matched-key, the key under which the cache found the entry, it also sets
hit-kind (exact, partial or none) and cache-hit (true if exact).`,
		Example: `  $ cachekey verify
  $ cachekey verify --strict`,
	}
	fs := c.Flags()
	options := keyFlags(fs, o)
	want := fs.String("key", "", "the `KEY` that was computed before the restore")
	matched := fs.String("matched-key", "", "the `KEY` of the entry that was restored; needs --key")
	strict := fs.Bool("strict", false, "exit with 1 if a file was not as it was sealed")
	asJSON := fs.Bool("json", false, "print the verdict for a script")
	forGitHub := fs.Bool("github", false, "append the verdict to the file $GITHUB_OUTPUT")
	c.RunE = func(c *cobra.Command, _ []string) error {
		at, err := sealing(o, options)
		if err != nil {
			return err
		}
		var given *key.Segments
		if fs.Changed("key") {
			if given, err = key.ParseKey(*want); err != nil {
				return cli.UsageError{Err: err}
			}
		}
		if fs.Changed("matched-key") && given == nil {
			return cli.Usagef("--matched-key needs --key, the key to compare it with")
		}
		if *forGitHub { // fail before anything is removed
			if err := appendOutputs(o.Getenv); err != nil {
				return err
			}
		}
		v, failed := verify(c.Context(), o, at, given)
		if v == nil {
			return failed
		}
		sayVerdict(o, v)
		outputs := verdictOutputs(v)
		if fs.Changed("matched-key") {
			kind := hitKind(v, *matched == *want)
			o.Sayf("hit: %s", kind)
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

// verify returns the verdict, and an error if the restored state may not be used
// because of something other than that state.
func verify(ctx context.Context, o *cli.IO, at place, given *key.Segments) (*seal.Verdict, error) {
	doc, err := compute(ctx, o, at.options)
	if err != nil {
		v, cleared := seal.Empty(at.root, "this checkout has no key", o.Warnf)
		return v, message.Join(err, cleared)
	}
	locks, tree := doc.Ingredient("locks").Digest, doc.Ingredient("tree").Digest
	if given != nil {
		locks = given.Locks
	}
	if given != nil && given.Tree != tree {
		v, cleared := seal.Empty(at.root, "the tree is not the one of --key", o.Warnf)
		return v, message.Join(message.WithHint(
			fmt.Errorf("the tree changed after the key was computed: its digest is %s, and %s in the key", tree, given.Tree),
			"a restored archive can write outside .same: see git status, and drop that entry from the cache"), cleared)
	}
	verifying := newProgress(o, "verifying")
	defer verifying.stop()
	return seal.Verify(ctx, seal.VerifyOptions{
		Root: at.root, System: doc.System, Locks: locks, Key: at.secret,
		Report: func(f seal.Finding) { o.Sayf("%s", f) }, Warnf: o.Warnf, Progress: verifying.read,
	})
}

func sayVerdict(o *cli.IO, v *seal.Verdict) {
	kept := fmt.Sprintf("%s, %s", count(int(v.Kept), "file"), byteSize(v.KeptBytes))
	switch {
	case v.Reason != "":
		o.Warnf("the restored cache was dropped, %s and %s: %s", entries(v.Removed), byteSize(v.RemovedBytes), v.Reason)
	case v.Flawed():
		o.Warnf("%d not as sealed, now gone; %d missing; kept %s", v.Removed, v.Missing, kept)
	case v.State == seal.None:
		o.Sayf("nothing was restored")
	default:
		o.Sayf("all is as it was sealed: %s", kept)
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

// hitKind returns how much of a hit the restored entry still is: exact if it was
// found under the key itself and is complete, partial if some of it is left.
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
