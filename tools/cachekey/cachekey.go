// Command cachekey computes the key under which CI keeps the cache of same, verifies
// a restored cache before use, and prunes it before it is saved.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// program returns the command cachekey. If its first argument does not name a
// command, it runs the command key.
func program(o *cli.IO) *cobra.Command {
	root := keyCommand(o)
	root.Use = "cachekey"
	root.Short = "compute the cache key of a checkout, and make the cache safe to restore"
	root.Long = `cachekey lets CI keep the cache of same between jobs: it prints the cache key of
a checkout, verifies a restored cache before use, and shows which tasks were
skipped. Without a command it is "cachekey key".

Exit codes: 0 done; 1 failed, or the answer is no; 2 usage error, or a required
file cannot be read. docs/exit-codes.md lists them by command.`
	root.Example = `  $ cachekey                              print the key of this checkout
  $ cachekey explain                      list what the key is made of
  $ cachekey key --json > before.json     save it, to compare with a later key:
  $ cachekey diff before.json`
	root.AddCommand(
		keyCommand(o),
		explainCommand(o),
		diffCommand(o),
		narHashCommand(o),
		verifyCommand(o),
		realiseCommand(o),
		hitsCommand(o),
		pruneCommand(o),
		sealCommand(o),
	)
	return root
}

// keyFlags defines the flags that select a key. It returns a function that reads
// them.
func keyFlags(fs *pflag.FlagSet, o *cli.IO) func() (key.Options, error) {
	var opts key.Options
	fs.StringVar(&opts.Prefix, "prefix", key.DefaultPrefix, "first segment of the key; another `TEXT` starts with an empty cache")
	fs.StringVar(&opts.System, "system", "", "`SYSTEM` in Nix's notation, such as x86_64-linux (default: this machine's)")
	fs.StringArrayVar(&opts.Locks, "lock", nil, "`GLOB` of files that pin the toolchain, instead of the defaults (repeatable)")
	fs.StringArrayVar(&opts.TaskFiles, "task-file", nil, "`GLOB` of files that declare tasks, instead of the defaults (repeatable)")
	extra := fs.StringArray("extra", nil, "add `NAME=VALUE` to the key, to separate jobs that share a tree (repeatable)")
	fs.StringVar(&opts.NarHash, "nar-hash", "", "use this narHash (`SRI`) of the tree instead of computing it")
	fs.BoolVar(&opts.AllowMissing, "allow-missing", false, "accept a checkout without flake.lock or manifest")
	return func() (key.Options, error) {
		opts.Dir = o.Dir
		err := setDefaults(fs, o.Getenv(defaultsVariable))
		if err == nil {
			if opts.Extra, err = key.ParseExtra(*extra); err != nil {
				err = cli.UsageError{Err: err}
			}
		}
		return opts, err
	}
}

// defaultsVariable names the variable in which the flake module (nix/key-app.nix) sets
// the defaults of the flags that select a key: a JSON object that maps names of flags
// to lists of values. A flag on the command line replaces its default.
const defaultsVariable = "CACHEKEY_DEFAULTS"

func setDefaults(fs *pflag.FlagSet, text string) error {
	if text == "" {
		return nil
	}
	var defaults map[string][]string
	if err := json.Unmarshal([]byte(text), &defaults); err != nil {
		return fmt.Errorf("reading the variable %s: %w", defaultsVariable, err)
	}
	for name, values := range defaults {
		f := fs.Lookup(name)
		if f == nil {
			return fmt.Errorf("the variable %s names the unknown flag --%s", defaultsVariable, name)
		}
		if f.Changed {
			continue
		}
		for _, value := range values {
			if err := fs.Set(name, value); err != nil {
				return fmt.Errorf("reading the variable %s: %w", defaultsVariable, err)
			}
		}
	}
	return nil
}

// compute calls key.Compute and shows its progress.
func compute(ctx context.Context, o *cli.IO, opts key.Options) (*key.Document, error) {
	hashing := newProgress(o, "hashing the tree")
	defer hashing.stop()
	opts.Progress = hashing.bytes
	d, err := key.Compute(ctx, opts)
	return d, cli.Unreadable(err)
}

// documentNow computes the key document of the checkout and prints its warnings.
func documentNow(ctx context.Context, o *cli.IO, options key.Options) (*key.Document, error) {
	d, err := compute(ctx, o, options)
	if err != nil {
		return nil, err
	}
	for _, w := range d.Warnings {
		o.Warnf("%s", w)
	}
	return d, nil
}

// keyFileFlag defines --key-file.
func keyFileFlag(fs *pflag.FlagSet) *string {
	return fs.String("key-file", "", "`FILE` that key --json wrote before the build (default: compute the key now)")
}

// documentOf reads the key document from the file of --key-file, or computes it if
// the flag is not set.
func documentOf(ctx context.Context, o *cli.IO, keyFile string, options key.Options) (*key.Document, error) {
	if keyFile == "" {
		return documentNow(ctx, o, options)
	}
	return readDocument(o, keyFile)
}

// writeDocument writes a document to the file that arg names, as --json prints it.
func writeDocument(o *cli.IO, arg string, d *key.Document) error {
	f, err := os.Create(o.Path(arg))
	if err != nil {
		return err
	}
	return errors.Join(cli.WriteJSON(f, d), f.Close())
}

// readDocument reads the document of a key from the file that arg names.
func readDocument(o *cli.IO, arg string) (*key.Document, error) {
	f, err := o.Open(arg)
	if err != nil {
		return nil, cli.Unreadable(err)
	}
	defer f.Close()
	d, err := key.Parse(f)
	if err != nil && arg != "-" {
		err = message.WithHint(fmt.Errorf("%s: %w", o.Path(arg), err), "cachekey key --json writes such a document")
	}
	return d, cli.Unreadable(err)
}
