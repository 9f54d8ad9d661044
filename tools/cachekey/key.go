package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
)

func keyCommand() *cli.Command {
	return &cli.Command{
		Name:  "key",
		Args:  "[flags]",
		Short: "print the key of a checkout",
		Long: `The key says exactly which remembered state of same fits this checkout. It is
made of three digests, from stable to volatile:

  same-v1-x86_64-linux-<locks>-<tasks>-<tree>

  locks   flake.lock, flake.nix, *.nix, go.mod, go.sum, go.work, submodules
  tasks   same.yaml, same.work.yaml
  tree    the flake's narHash: every tracked file

Cutting digests off the right gives the restore keys. Globs are relative to the
git root and know * ? ** [class] and {a,b}. docs/key-format.md is the spec.

Examples:
  $ cachekey                        the key, and nothing else, on stdout
  $ cachekey key --json             everything about it
  $ cachekey key --github           in a workflow: adds the outputs key, restore-keys, paths
  $ cachekey key --extra job=test   for a job that runs other tasks than the rest`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			options := keyFlags(fs)
			loose := fs.Bool("loose", false, "add a restore key that crosses locks: a state made by another toolchain may come back")
			asJSON := fs.Bool("json", false, "print the whole document (docs/key.schema.json)")
			jsonFile := fs.String("json-file", "", "write the whole document to `FILE` as well, for --key-file of other commands")
			forGitHub := fs.Bool("github", false, "append key, restore-keys and paths to the file $GITHUB_OUTPUT too")
			return func(ctx context.Context, o *cli.IO, _ []string) error {
				opts, err := options()
				if err != nil {
					return err
				}
				opts.Loose = *loose
				d, err := documentNow(ctx, o, opts)
				if err != nil {
					return err
				}
				if *jsonFile != "" {
					if err := writeDocument(inDirectory(opts.Dir, *jsonFile), d); err != nil {
						return err
					}
				}
				if *forGitHub {
					if err := appendOutputs(o.Getenv,
						output{Name: "key", Value: d.Key},
						output{Name: "restore-keys", Value: strings.Join(d.RestoreKeys, "\n")},
						output{Name: "paths", Value: strings.Join(d.Paths, "\n")},
					); err != nil {
						return err
					}
				}
				if *asJSON {
					return printJSON(o.Out, d)
				}
				_, err = fmt.Fprintln(o.Out, d.Key)
				return err
			}
		},
	}
}
