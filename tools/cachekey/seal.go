package main

import (
	"context"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/seal"
)

func sealCommand() *cli.Command {
	return &cli.Command{
		Name:  "seal",
		Args:  "[flags]",
		Short: "before a save: say what the cache holds, for verify",
		Long: `Writes .same/seal.json: the document of the key, and path, size and digest of
every file below .same/store and .same/cache. Run it last before the save, after
prune: same removes the seal before it changes anything that the seal covers.

With CACHEKEY_SEAL_KEY in the environment (a secret of at least 16 bytes) the
seal is authenticated, and verify takes no other.

Examples:
  $ cachekey key --json > key.json    before the build
  $ cachekey prune && cachekey seal --key-file key.json`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			options := keyFlags(fs)
			keyFile := keyFileFlag(fs)
			return func(ctx context.Context, o *cli.IO, _ []string) error {
				at, err := sealing(o, options)
				if err != nil {
					return err
				}
				doc, err := documentOf(ctx, o, *keyFile, at.options)
				if err != nil {
					return err
				}
				sealed := newProgress(o, "sealing")
				defer sealed.stop()
				made, err := seal.Make(ctx, seal.MakeOptions{Root: at.root, Doc: doc, Key: at.secret, Warnf: o.Warnf, Progress: sealed.read})
				if err != nil {
					return err
				}
				o.Sayf("sealed %s, %s, under %s", count(int(made.Files), "file"), byteSize(made.Bytes), doc.Key)
				return nil
			}
		},
	}
}

// A place is what seal and verify both have to know before they begin.
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
		return p, message.UsageError{Err: err}
	}
	p.root, err = manifest.Root(p.options.Dir)
	return p, err
}
