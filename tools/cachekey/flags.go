package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"cachekey/internal/key"
)

// keyFlags defines the flags that say which key is meant. The function that it
// gives reads them.
func keyFlags(fs *pflag.FlagSet) func() (key.Options, error) {
	var o key.Options
	directoryFlag(fs, &o.Dir)
	fs.StringVar(&o.Prefix, "prefix", key.DefaultPrefix, "first segment of the key: another `TEXT` starts afresh")
	fs.StringVar(&o.System, "system", "", "the `SYSTEM` as Nix names it (default: this machine's)")
	fs.StringArrayVar(&o.Locks, "lock", nil, "`GLOB` of files that pin the toolchain, instead of the defaults (repeatable)")
	fs.StringArrayVar(&o.TaskFiles, "task-file", nil, "`GLOB` of files that declare tasks, instead of the defaults (repeatable)")
	extra := fs.StringArray("extra", nil, "`NAME=VALUE` that sets jobs apart which share a tree (repeatable)")
	fs.StringVar(&o.NarHash, "nar-hash", "", "the tree's narHash (`SRI`), instead of computing it")
	fs.BoolVar(&o.AllowMissing, "allow-missing", false, "accept that there is no flake.lock or no manifest")
	return func() (key.Options, error) {
		err := setDefaults(fs, os.Getenv(defaultsVariable))
		if err != nil {
			return o, err
		}
		o.Extra, err = key.ParseExtra(*extra)
		return o, err
	}
}

// directoryFlag defines -C.
func directoryFlag(fs *pflag.FlagSet, dir *string) {
	fs.StringVarP(dir, "directory", "C", ".", "work as if started in `DIR`")
}

// inDirectory is path as seen from dir, which -C gave.
func inDirectory(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// printJSON prints v for scripts, indented for people who look all the same.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
