package main

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

func diffCommand() *cli.Command {
	return &cli.Command{
		Name:  "diff",
		Args:  "[flags] OLD [NEW]",
		Short: "say why a key changed",
		Long: `OLD and NEW are files that key --json wrote ("-" is standard input). Without NEW
it is this checkout as it is now, and the flags say which of its keys.

Exit code 1 says that the keys differ.

Examples:
  $ cachekey key --json > before.json
  $ cachekey diff before.json
  $ cachekey diff --json before.json after.json | jq '.ingredients[] | select(.changed)'`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			options := keyFlags(fs)
			asJSON := fs.Bool("json", false, "print the differences for a script")
			return func(ctx context.Context, o *cli.IO, args []string) error {
				if len(args) < 1 || len(args) > 2 {
					return message.WithHint(message.Usagef("diff takes one or two documents, not %d", len(args)), "cachekey key --json > OLD writes one")
				}
				opts, err := options()
				if err != nil {
					return err
				}
				old, err := readDocument(o, inDirectory(opts.Dir, args[0]), args[0])
				if err != nil {
					return err
				}
				var now *key.Document
				if len(args) == 2 {
					now, err = readDocument(o, inDirectory(opts.Dir, args[1]), args[1])
				} else {
					now, err = documentNow(ctx, o, opts)
				}
				if err != nil {
					return err
				}
				d := key.Compare(old, now)
				if *asJSON {
					err = printJSON(o.Out, d)
				} else {
					err = printDiff(o, d)
				}
				if err == nil && !d.Same {
					return cli.ErrFailed
				}
				return err
			}
		},
	}
}

func printDiff(o *cli.IO, d key.Diff) error {
	b := bufio.NewWriter(o.Out)
	if d.Same {
		fmt.Fprintf(b, "the keys are equal: %s\n", d.New)
		return b.Flush()
	}
	for _, s := range d.Settings {
		fmt.Fprintf(b, "%-10s changed: %q, was %q\n", s.Name, s.New, s.Old)
	}
	named := 0
	for _, in := range d.Ingredients {
		if !in.Changed {
			fmt.Fprintf(b, "%-10s same\n", in.Name)
			continue
		}
		fmt.Fprintf(b, "%-10s changed: %s, was %s\n", in.Name, in.New, in.Old)
		for _, f := range in.Files {
			mark := map[string]string{"added": "+", "removed": "-", "changed": "~"}[f.Change]
			fmt.Fprintf(b, "  %s %-7s %s\n", mark, f.Change, message.Name(f.Path))
		}
		named += len(in.Files)
		if in.Name == "tree" && named == 0 {
			fmt.Fprintln(b, "  a tracked file outside locks and tasks: git status, or git diff --stat COMMIT, says which")
		}
	}
	fmt.Fprintf(b, "\nold %s\nnew %s\n", d.Old, d.New)
	if d.Restores != "" {
		fmt.Fprintf(b, "the old state still fits by the restore key %s\n", d.Restores)
	} else {
		fmt.Fprintln(b, "no restore key of the new key finds the old state")
	}
	return b.Flush()
}
