package main

import (
	"context"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/engine"
	"cachekey/internal/manifest"
)

const cleanLong = `What tasks made stays where it is; every task runs again next time.

Examples:
  $ same clean          forget what tasks made: .same/store
  $ same clean --all    forget resolved tools and environments too: .same/cache, and
                        what could not be removed before: .same/local/refused-*`

func cleanCommand() *cli.Command {
	return &cli.Command{
		Name:  "clean",
		Args:  "[flags]",
		Short: "forget what is remembered",
		Long:  cleanLong,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			dir := directoryFlag(fs)
			all := fs.Bool("all", false, "the caches too")
			return func(ctx context.Context, o *cli.IO, _ []string) error {
				root, err := manifest.Root(*dir) // mistakes in the manifests are no reason to keep anything
				if err != nil {
					return err
				}
				lines := &engine.Lines{To: o.Err}
				return dotsame.Open(root).Clean(ctx, *all, lines.Waiting, o.Warnf)
			}
		},
	}
}
