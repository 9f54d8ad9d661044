package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/message"
	"cachekey/internal/source"
)

func narHashCommand() *cli.Command {
	return &cli.Command{
		Name:  "nar-hash",
		Args:  "[flags] [DIR]",
		Short: "print the narHash of a flake or a directory, without Nix",
		Long: `The answer is that of the current Nix, byte for byte:

  nix flake metadata --json | jq -r .locked.narHash   for the flake that DIR is in
  nix hash path DIR                                   with no flake.nix and no git at DIR or above

Nothing is copied to the Nix store, and no Nix need be installed.

Example:
  $ cachekey nar-hash .
  sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			var directory string
			directoryFlag(fs, &directory)
			return func(ctx context.Context, o *cli.IO, args []string) error {
				switch len(args) {
				case 0:
				case 1:
					directory = inDirectory(directory, args[0])
				default:
					return message.Usagef("nar-hash takes one directory, not %d", len(args))
				}
				hashing := newProgress(o, "hashing the tree")
				defer hashing.stop()
				tree, err := source.Open(ctx, directory, source.Options{Progress: hashing.bytes})
				if err != nil {
					return err
				}
				defer tree.Close()
				hash, err := tree.NarHash(ctx)
				if err != nil {
					return err
				}
				for _, w := range tree.Warnings {
					o.Warnf("%s", w)
				}
				_, err = fmt.Fprintln(o.Out, hash)
				return err
			}
		},
	}
}
