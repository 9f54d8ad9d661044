package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:  "explain",
		Args:  "[flags]",
		Short: "show what the key is made of",
		Long: `Every ingredient with its digest, and every file in it, in the order in which
they are hashed. A file's digest is what b3sum prints for it. Its type is f for a
file, l for a symbolic link (the digest is its target's) and g for a submodule
(its commit's).

Examples:
  $ cachekey explain
  $ cachekey explain --json | jq -r '.ingredients[].files[].path'`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			options := keyFlags(fs)
			asJSON := fs.Bool("json", false, "print the document of key --json")
			return func(ctx context.Context, o *cli.IO, _ []string) error {
				opts, err := options()
				if err != nil {
					return err
				}
				d, err := documentNow(ctx, o, opts)
				if err != nil {
					return err
				}
				if *asJSON {
					return printJSON(o.Out, d)
				}
				return explain(o.Out, d)
			}
		},
	}
}

func explain(w io.Writer, d *key.Document) error {
	b := bufio.NewWriter(w)
	row := func(name, value string) { fmt.Fprintf(b, "%-12s %s\n", name, value) }
	row("key", d.Key)
	for i, k := range d.RestoreKeys {
		row([]string{"restore keys", ""}[min(i, 1)], k)
	}
	row("paths", strings.Join(d.Paths, " "))
	row("system", d.System)
	for _, name := range sortedKeys(d.Extra) {
		row("extra", fmt.Sprintf("%s=%q", name, d.Extra[name]))
	}
	for _, in := range d.Ingredients {
		fmt.Fprintln(b)
		if in.Name == "tree" {
			row(in.Name, in.Digest)
			fmt.Fprintf(b, "  narHash %s: all that Nix sees of this flake\n", d.NarHash)
			continue
		}
		row(in.Name, fmt.Sprintf("%s  %s", in.Digest, count(len(in.Files), "file")))
		for _, f := range in.Files {
			fmt.Fprintf(b, "  %s %s %s\n", f.Type, f.Digest, message.Name(f.Path))
		}
	}
	return b.Flush()
}
