package main

import (
	"context"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/seal"
	"cachekey/internal/size"
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
			return func(ctx context.Context, o *cli.IO, args []string) error {
				if err := noArguments(args); err != nil {
					return err
				}
				opts, err := options()
				if err != nil {
					return err
				}
				secret, err := seal.DeriveKey(o.Getenv(seal.SecretVariable))
				if err != nil {
					return cli.UsageError{Err: err}
				}
				root, err := manifest.Root(opts.Dir)
				if err != nil {
					return err
				}
				doc, err := documentOf(ctx, o, *keyFile, opts)
				if err != nil {
					return err
				}
				sealing := newProgress(o, "sealing")
				defer sealing.stop()
				made, err := seal.Make(ctx, seal.MakeOptions{Root: root, Doc: doc, Key: secret, Warnf: o.Warnf, Progress: sealing.read})
				if err != nil {
					return err
				}
				o.Sayf("sealed %s, %s, under %s", count(int(made.Files), "file"), size.Bytes(made.Bytes), doc.Key)
				return nil
			}
		},
	}
}

// keyFileFlag defines --key-file.
func keyFileFlag(fs *pflag.FlagSet) *string {
	return fs.String("key-file", "", "the key's document, a `FILE` that key --json wrote before the build (default: computed now)")
}

// documentOf reads the document of a key from a file, or computes it.
func documentOf(ctx context.Context, o *cli.IO, file string, opts key.Options) (*key.Document, error) {
	if file != "" {
		return readDocument(o, inDirectory(opts.Dir, file), file)
	}
	doc, err := compute(ctx, o, opts)
	if err == nil {
		warn(o, doc)
	}
	return doc, err
}
