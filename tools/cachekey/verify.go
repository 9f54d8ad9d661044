package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/message"
	"cachekey/internal/seal"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Args:  "[flags]",
		Short: "after a restore: remove what is not as it was sealed",
		Long: `Checks every file below .same/store and .same/cache against .same/seal.json and
removes what is missing from it, altered, or no plain file. If the seal itself is
broken, or of another system or other locks, everything goes: a bad cache is a
clean miss and never fails a build, unless --strict is given. It is for restored
state only; without a seal nothing is kept.

With CACHEKEY_SEAL_KEY in the environment only a seal made with the same secret
counts. An empty secret is none, as forks get it.

--key also checks that the restore, which can write outside .same, left the
tree as it was when the key was computed. If not, the exit code is 1.

--github adds the outputs state (whole, partial or none), kept, removed and missing.
With --matched-key, the key under which the cache found the entry, it also adds
hit-kind (exact, partial or none) and cache-hit (true if exact).`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			options := keyFlags(fs)
			want := fs.String("key", "", "the `KEY` that was computed before the restore")
			matched := fs.String("matched-key", "", "the `KEY` of the entry that was restored; needs --key")
			strict := fs.Bool("strict", false, "exit with 1 if anything was not as it was sealed")
			asJSON := fs.Bool("json", false, "print the verdict for a script")
			forGitHub := fs.Bool("github", false, "append the verdict to the file $GITHUB_OUTPUT")
			return func(ctx context.Context, o *cli.IO, _ []string) error {
				at, err := sealing(o, options)
				if err != nil {
					return err
				}
				var given *key.Segments
				if fs.Changed("key") {
					if given, err = key.ParseKey(*want); err != nil {
						return message.UsageError{Err: err}
					}
				}
				if fs.Changed("matched-key") && given == nil {
					return message.UsageError{Err: errors.New("--matched-key needs --key, the key to compare it with")}
				}
				if *forGitHub { // nothing is removed if nobody can be told
					if err := appendOutputs(o.Getenv); err != nil {
						return err
					}
				}
				v, failed := verify(ctx, o, at, given)
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
					failed = message.Join(failed, printJSON(o.Out, v))
				}
				if failed == nil && *strict && v.Flawed() {
					return cli.ErrFailed
				}
				return failed
			}
		},
	}
}

// verify gives the verdict, and an error if the restored state may not be used
// because of something other than that state.
func verify(ctx context.Context, o *cli.IO, at place, given *key.Segments) (*seal.Verdict, error) {
	doc, err := compute(ctx, o, at.options)
	if err != nil {
		v, cleared := seal.Empty(at.root, "it can't be said which checkout this is", o.Warnf)
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
