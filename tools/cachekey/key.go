package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/disk"
	"cachekey/internal/key"
	"cachekey/internal/message"
	"cachekey/internal/source"
)

func keyCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "key [flags]",
		Short: "print the key of a checkout",
		Long: `Print the key of this checkout: the name under which CI keeps the cache of same.
Its last three segments are digests, from stable to volatile:

    same-v1-x86_64-linux-<locks>-<tasks>-<tree>

    locks   flake.lock, *.nix (flake.nix too), go.mod, go.sum, go.work, submodules
    tasks   same.yaml, same.work.yaml
    tree    the flake's narHash: every tracked file

The restore keys are the key without its last digest, and without its last two.

Globs are relative to the git root and have these forms:

    *  ?  **  [class]  {a,b}

docs/key-format.md is the specification.`,
		Example: `  $ cachekey                        the key, and nothing else, on stdout
  $ cachekey key --json             the key and everything that it is made of
  $ cachekey key --github           in a workflow: set the outputs key, restore-keys, paths
  $ cachekey key --extra job=test   for a job that runs different tasks`,
	}
	fs := c.Flags()
	options := keyFlags(fs, o)
	asJSON := fs.Bool("json", false, "print the whole document (docs/key.schema.json)")
	jsonFile := fs.String("json-file", "", "also write the whole document to `FILE`, for --key-file of other commands")
	forGitHub := fs.Bool("github", false, "also append key, restore-keys and paths to the file $GITHUB_OUTPUT")
	untracked := fs.Bool("untracked", false, "with --json or --json-file, list the files that git neither tracks nor ignores (--github does too)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		opts, err := options()
		if err != nil {
			return err
		}
		opts.Untracked = (*untracked || *forGitHub) && (*asJSON || *jsonFile != "")
		if *forGitHub {
			opts.PathsFrom = o.Getenv("GITHUB_WORKSPACE") // where actions/cache looks for them
		}
		d, err := documentNow(c.Context(), o, opts)
		if err != nil {
			return err
		}
		if *jsonFile != "" {
			if err := writeDocument(o, *jsonFile, d); err != nil {
				return err
			}
		}
		if *forGitHub {
			paths, err := cachePaths(d.Paths)
			if err != nil {
				return err
			}
			if err := appendOutputs(o.Getenv,
				output{Name: "key", Value: d.Key},
				output{Name: "restore-keys", Value: strings.Join(d.RestoreKeys, "\n")},
				output{Name: "paths", Value: paths},
			); err != nil {
				return err
			}
		}
		if *asJSON {
			return o.PrintJSON(d)
		}
		_, err = fmt.Fprintln(o.Out, d.Key)
		return err
	}
	return c
}

// cachePaths returns paths in the format of actions/cache: one pattern a line. It
// escapes what @actions/glob would interpret: wildcards, blanks around a line, and
// ! # ~ at the beginning.
func cachePaths(paths []disk.Path) (string, error) {
	var lines []string
	for _, p := range paths {
		if strings.ContainsAny(string(p), "\r\n") {
			return "", fmt.Errorf("actions/cache cannot carry %q: a line break in a path ends it", p)
		}
		line := strings.NewReplacer(`\`, `\\`, "[", "[[]", "?", "[?]", "*", "[*]").Replace(string(p))
		if line != strings.TrimSpace(line) || strings.ContainsAny(line[:1], "!#~") {
			line = "./" + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}

func explainCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "explain [flags]",
		Short: "print what the key is made of",
		Long: `Print every ingredient of the key with its digest, and every file in it, in the
order in which they are hashed. The digest of a file is what b3sum prints for it.
Its type is f for a file, l for a symbolic link (the digest is of its target) and
g for a submodule (the digest is of its commit).`,
		Example: `  $ cachekey explain
  $ cachekey explain --json | jq -r '.ingredients[].files[].path'`,
	}
	fs := c.Flags()
	options := keyFlags(fs, o)
	asJSON := fs.Bool("json", false, "print the document of key --json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		opts, err := options()
		if err != nil {
			return err
		}
		d, err := documentNow(c.Context(), o, opts)
		if err != nil {
			return err
		}
		if *asJSON {
			return o.PrintJSON(d)
		}
		return printKey(o.Out, d)
	}
	return c
}

func printKey(w io.Writer, d *key.Document) error {
	b := bufio.NewWriter(w)
	row := func(name, value string) { fmt.Fprintf(b, "%-12s %s\n", name, value) }
	row("key", d.Key)
	for i, k := range d.RestoreKeys {
		row([]string{"restore keys", ""}[min(i, 1)], k)
	}
	var paths []string
	for _, p := range d.Paths {
		paths = append(paths, message.Name(string(p)))
	}
	row("paths", strings.Join(paths, " "))
	row("system", d.System)
	if d.Workspace != "" {
		row("workspace", message.Name(string(d.Workspace)))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Extra)) {
		row("extra", fmt.Sprintf("%s=%q", name, d.Extra[name]))
	}
	for _, in := range d.Ingredients {
		fmt.Fprintln(b)
		if in.Name == "tree" {
			row(in.Name, in.Digest)
			fmt.Fprintf(b, "  narHash %s: everything that Nix sees of this flake\n", d.NarHash)
			continue
		}
		row(in.Name, fmt.Sprintf("%s  %s", in.Digest, count(len(in.Files), "file")))
		for _, f := range in.Files {
			fmt.Fprintf(b, "  %s %s %s\n", f.Type, f.Digest, message.Name(string(f.Path)))
		}
	}
	return b.Flush()
}

func diffCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "diff [flags] OLD [NEW]",
		Args:  cobra.ArbitraryArgs,
		Short: "print why a key changed",
		Long: `Compare two keys: print which ingredients differ, and which files in them. OLD and
NEW are files that key --json wrote; "-" is standard input. Without NEW, OLD is
compared with the key of this checkout, which the flags select.

The exit code is 1 if the keys differ.`,
		Example: `  $ cachekey key --json > before.json
  $ cachekey diff before.json
  $ cachekey diff --json before.json after.json | jq '.ingredients[] | select(.changed)'`,
	}
	fs := c.Flags()
	options := keyFlags(fs, o)
	asJSON := fs.Bool("json", false, "print the differences as JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) < 1 || len(args) > 2 {
			return message.WithHint(cli.Usagef("diff takes one or two documents, not %d", len(args)), "cachekey key --json > OLD writes one")
		}
		opts, err := options()
		if err != nil {
			return err
		}
		old, err := readDocument(o, args[0])
		if err != nil {
			return err
		}
		var now *key.Document
		if len(args) == 2 {
			now, err = readDocument(o, args[1])
		} else {
			now, err = documentNow(c.Context(), o, opts)
		}
		if err != nil {
			return err
		}
		d := key.Compare(old, now)
		if *asJSON {
			err = o.PrintJSON(d)
		} else {
			err = printDiff(o, d)
		}
		if err == nil && !d.Same {
			return cli.ErrFailed
		}
		return err
	}
	return c
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
			fmt.Fprintf(b, "%-10s unchanged\n", in.Name)
			continue
		}
		fmt.Fprintf(b, "%-10s changed: %s, was %s\n", in.Name, in.New, in.Old)
		for _, f := range in.Files {
			mark := map[string]string{"added": "+", "removed": "-", "changed": "~"}[f.Change]
			fmt.Fprintf(b, "  %s %-7s %s\n", mark, f.Change, message.Name(string(f.Path)))
		}
		named += len(in.Files)
		if in.Name == "tree" && named == 0 {
			fmt.Fprintln(b, "  a tracked file outside locks and tasks: git status or git diff --stat COMMIT lists it")
		}
	}
	fmt.Fprintf(b, "\nold %s\nnew %s\n", d.Old, d.New)
	if d.Restores != "" {
		fmt.Fprintf(b, "the old cache can still be restored, by the restore key %s\n", d.Restores)
	} else {
		fmt.Fprintln(b, "the old cache cannot be restored: no restore key of the new key matches it")
	}
	return b.Flush()
}

func narHashCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "nar-hash [flags] [DIR]",
		Args:  cobra.ArbitraryArgs,
		Short: "print the narHash of a flake or a directory, without Nix",
		Long: `Print the narHash of the flake that contains DIR: what Nix prints as
"locked.narHash" in "nix flake metadata --json". Some repositories that Nix cannot
read (a split or sparse index, SHA-256 objects) have a hash here too. If there is
neither a flake.nix nor a git repository at DIR or above it, print what
"nix hash path DIR" prints.

Nothing is copied to the Nix store, and Nix need not be installed.`,
		Example: `  $ cachekey nar-hash .
  sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=`,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		directory := o.Dir
		switch len(args) {
		case 0:
		case 1:
			directory = o.Path(args[0])
		default:
			return cli.Usagef("nar-hash takes one directory, not %d", len(args))
		}
		hashing := newProgress(o, "hashing the tree")
		defer hashing.stop()
		tree, err := source.Open(c.Context(), directory, source.Options{Progress: hashing.bytes})
		if err != nil {
			return cli.Unreadable(err)
		}
		defer tree.Close()
		hash, err := tree.NarHash(c.Context())
		if err != nil {
			return cli.Unreadable(err)
		}
		for _, w := range tree.Warnings {
			o.Warnf("%s", w)
		}
		_, err = fmt.Fprintln(o.Out, hash)
		return err
	}
	return c
}
