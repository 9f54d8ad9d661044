package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/nixenv"
)

const envLong = `Writes one file, <environment id>.json, for each distinct set of tools that a
task of the workspace asks for, of packages that are given. Where such a file is
in .same/cache/environments, the tools resolve to those packages: running the
tasks needs neither the network nor Nix, and what a task counts as its tools are
the packages' store paths. PATH is all that such an environment sets of a
package; what its setup hooks would set is not in it. What a task needs besides
its tools (sh, coreutils, a C compiler) comes --with it: nothing else is on PATH.

NAME of a package is a tool's alias, or its spec where projects give one alias
several specs. A NAME that no manifest declares is an error. A set of tools with
a package missing is left out, with a warning: those tools resolve as their specs
say when a task runs. A package of another version than its spec says is taken,
with a warning.

It needs no network and no Nix, so a derivation can run it.

Examples:
  $ same env --package go=/nix/store/…-go-1.25.4       into this workspace
  $ same env -C src --out $out --system x86_64-linux --package go=${go} --package lint=${lint}
  $ same env -C src --out $out --packages packages.json     {"go": "/nix/store/…"}; - is stdin
  $ same env --from DIR       take over what --out DIR wrote: for the hook of a devShell`

type envFlags struct {
	dir, out, system, from, file *string
	packages, behind             *[]string
}

func envCommand() *cli.Command {
	return &cli.Command{
		Name:  "env",
		Args:  "[flags]",
		Short: "write environments of packages that are already there",
		Long:  envLong,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			f := envFlags{
				dir:      directoryFlag(fs),
				out:      fs.String("out", "", "write to `DIR` (default: the workspace's .same/cache/environments)"),
				system:   fs.String("system", "", "Nix's name of the `SYSTEM` that the packages are for (default: this machine's)"),
				packages: fs.StringArray("package", nil, "the store path of a tool's package, `NAME=PATH` (repeatable)"),
				file:     fs.String("packages", "", "read packages from a JSON object in `FILE`"),
				behind:   fs.StringArray("with", nil, "a store `PATH` that every environment has on PATH behind its tools (repeatable)"),
				from:     fs.String("from", "", "take over the environments in `DIR`"),
			}
			return func(_ context.Context, o *cli.IO, _ []string) error { return f.run(o) }
		},
	}
}

func (f envFlags) run(o *cli.IO) error {
	if *f.from != "" {
		return f.adopt()
	}
	packages, err := f.given(o)
	if err != nil {
		return err
	}
	w, err := manifest.Load(*f.dir)
	if err != nil {
		return err
	}
	for _, warning := range w.Warnings {
		o.Warnf("%s", warning)
	}
	if err := checkNames(w, packages); err != nil {
		return err
	}
	if *f.out != "" {
		if err := os.MkdirAll(*f.out, 0o777); err != nil {
			return err
		}
	}
	system := *f.system
	if system == "" {
		if system, err = key.System(runtime.GOOS, runtime.GOARCH); err != nil {
			return err
		}
	}
	for _, tools := range toolSets(w) {
		picked, missing := pick(o, tools, packages)
		if len(missing) > 0 {
			o.Warnf("no environment of %s: there is no package for %s", join(tools), strings.Join(missing, ", "))
			continue
		}
		data, err := nixenv.Pin(system, picked, *f.behind)
		if err != nil {
			return err
		}
		if err := f.write(w, dotsame.EnvironmentPath(tools), data); err != nil {
			return err
		}
	}
	return nil
}

// adopt copies what another same env wrote.
func (f envFlags) adopt() error {
	if *f.out != "" || *f.file != "" || len(*f.packages) > 0 {
		return message.Usagef("--from goes with no flag but --directory")
	}
	root, err := manifest.Root(*f.dir)
	if err != nil {
		return err
	}
	_, err = nixenv.Adopt(root, *f.from)
	return err
}

// given gives the packages of the command line: name → store path.
func (f envFlags) given(o *cli.IO) (map[string]string, error) {
	packages := map[string]string{}
	if *f.file != "" {
		if err := readPackages(o, *f.file, packages); err != nil {
			return nil, message.WithHint(fmt.Errorf("%s: %w", *f.file, err),
				`a JSON object is wanted: {"go": "/nix/store/…-go-1.25.4"}`)
		}
	}
	for _, p := range *f.packages {
		// A spec may have an = of its own.
		name, path, ok := strings.Cut(p, "=/")
		if !ok || name == "" {
			return nil, message.Usagef("--package %q is not NAME=STOREPATH", p)
		}
		if before, twice := packages[name]; twice && before != "/"+path {
			return nil, message.Usagef("the package %q is given twice", name)
		}
		packages[name] = "/" + path
	}
	if len(packages) == 0 {
		return nil, message.WithHint(message.Usagef("no package is given"), "same help env shows how")
	}
	return packages, nil
}

func readPackages(o *cli.IO, file string, packages map[string]string) error {
	in := o.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	data, err := disk.ReadLimited(in, 1<<20)
	if err == nil {
		err = json.Unmarshal(data, &packages)
	}
	return err
}

// checkNames refuses a package that no tool can mean, or more than one.
func checkNames(w *manifest.Workspace, packages map[string]string) error {
	specs := map[string]bool{}
	var known []string
	for alias, of := range w.Tools {
		known = append(known, alias)
		for _, spec := range of {
			specs[spec] = true
		}
	}
	slices.Sort(known)
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		of := w.Tools[name]
		switch {
		case specs[name]:
		case len(of) == 0:
			err := fmt.Errorf("no manifest of %s declares the tool %q", w.Root, name)
			if near := message.Nearest(name, known); near != "" {
				return message.WithHint(err, "did you mean %q?", near)
			}
			if len(known) == 0 {
				return message.WithHint(err, "none declares any tool")
			}
			return message.WithHint(err, "the tools are %s", strings.Join(known, ", "))
		case len(of) > 1:
			return message.WithHint(fmt.Errorf("the tool %q is several: %s", name, strings.Join(of, ", ")),
				"name the spec instead: --package %s=…", of[0])
		}
	}
	return nil
}

// toolSets gives the distinct sets of tools that tasks ask for, in order of the tasks.
func toolSets(w *manifest.Workspace) []map[string]string {
	var sets []map[string]string
	seen := map[string]bool{}
	for _, t := range w.Tasks {
		if id := dotsame.EnvironmentID(t.Tools); len(t.Tools) > 0 && !seen[id] {
			seen[id] = true
			sets = append(sets, t.Tools)
		}
	}
	return sets
}

// pick gives the packages of tools, and the aliases for which there is none.
func pick(o *cli.IO, tools, packages map[string]string) (picked map[string]string, missing []string) {
	picked = map[string]string{}
	for _, alias := range slices.Sorted(maps.Keys(tools)) {
		spec := tools[alias]
		path, ok := packages[spec]
		if !ok {
			path, ok = packages[alias]
		}
		if !ok {
			missing = append(missing, alias)
			continue
		}
		if !nixenv.Fits(spec, path) {
			o.Warnf("the package of %s, %s, is another version than %s", alias, path, spec)
		}
		picked[alias] = path
	}
	return picked, missing
}

func join(tools map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(tools)), ", ")
}

// write puts an environment where it was asked for.
func (f envFlags) write(w *manifest.Workspace, file string, data []byte) error {
	if *f.out == "" {
		return dotsame.Open(w.Root).WriteFile(file, data)
	}
	dir, err := disk.OpenRoot(*f.out)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.WriteAtomic(filepath.Base(file), disk.NoSync, func(f *os.File) error {
		if _, err := f.Write(data); err != nil {
			return err
		}
		return f.Chmod(0o644)
	})
}
