package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/key"
	"cachekey/internal/message"
)

// documentNow gives the document of a checkout's key as it is now, and tells
// people its warnings.
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
	return fs.String("key-file", "", "the key's document, a `FILE` that key --json wrote before the build (default: computed now)")
}

// documentOf reads the document of a key from what --key-file gave, or, without
// it, computes it.
func documentOf(ctx context.Context, o *cli.IO, keyFile string, options key.Options) (*key.Document, error) {
	if keyFile == "" {
		return documentNow(ctx, o, options)
	}
	return readDocument(o, inDirectory(options.Dir, keyFile), keyFile)
}

// writeDocument writes a document to file, in the form that --json prints.
func writeDocument(file string, d *key.Document) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(printJSON(f, d), f.Close())
}

// readDocument reads the document in file, which was given as arg: "-" is
// standard input.
func readDocument(o *cli.IO, file, arg string) (*key.Document, error) {
	if arg == "-" {
		return key.Parse(o.In)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := key.Parse(f)
	if err != nil {
		return nil, message.WithHint(fmt.Errorf("%s: %w", file, err), "cachekey key --json writes such a document")
	}
	return d, nil
}
