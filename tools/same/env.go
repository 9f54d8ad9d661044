package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/nixenv"
)

type envFlags struct {
	o                       *cli.IO
	out, system, from, file string
	packages, with          []string
}

func envCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "env [flags]",
		Short: "write environments made of packages that already exist",
		Long: `Write a file <environment id>.json for each distinct set of tools that a task of
the workspace needs, made of the given packages. If such a file is in
.same/cache/environments, the tools resolve to those packages: tasks need neither
the network nor Nix, and their tools count by the packages' store paths. Such an
environment sets only PATH, not what the setup hooks of a package would set. Pass
programs that a task needs besides its tools (sh, coreutils, a C compiler) with
--with; nothing else is on PATH.

The NAME of a package is the alias of a tool, or its spec where projects use one
alias for several specs. A NAME that no manifest declares is an error. If a package
of a set is missing, the set is left out with a warning: its tools resolve by their
specs when a task runs. A package whose version is not that of its spec is accepted
with a warning.

The command needs neither the network nor Nix, so a derivation can run it.`,
		Example: `  $ same env --package go=/nix/store/…-go-1.25.4       into this workspace
  $ same env -C src --out $out --system x86_64-linux --package go=${go} --package lint=${lint}
  $ same env -C src --out $out --packages packages.json     {"go": "/nix/store/…"}; - is stdin
  $ same env --from DIR       copy what --out DIR wrote, in a devShell's hook`,
	}
	fs, f := c.Flags(), envFlags{o: o}
	fs.StringVar(&f.out, "out", "", "write to `DIR` (default: the workspace's .same/cache/environments)")
	fs.StringVar(&f.system, "system", "", "`SYSTEM` of the packages, such as x86_64-linux (default: this machine's)")
	fs.StringArrayVar(&f.packages, "package", nil, "store path of a tool's package, `NAME=PATH` (repeatable)")
	fs.StringVar(&f.file, "packages", "", "read packages from a JSON object in `FILE`")
	fs.StringArrayVar(&f.with, "with", nil, "store `PATH` to put on PATH after the tools of every environment (repeatable)")
	fs.StringVar(&f.from, "from", "", "copy the environments in `DIR`")
	c.RunE = func(*cobra.Command, []string) error { return f.run() }
	return c
}

func (f *envFlags) run() error {
	o := f.o
	if f.from != "" {
		return f.adopt()
	}
	packages, err := f.given()
	if err != nil {
		return err
	}
	w, err := load(o)
	if err != nil {
		return err
	}
	if err := checkNames(w, packages); err != nil {
		return err
	}
	if f.out == "" {
		if err := dotsame.Open(w.Root).CheckLinks(); err != nil {
			return cli.UsageError{Err: err}
		}
	} else {
		if err := os.MkdirAll(f.out, 0o777); err != nil {
			return err
		}
	}
	system := f.system
	if system == "" {
		system = key.System(runtime.GOOS, runtime.GOARCH)
	}
	for _, tools := range toolSets(w) {
		picked, missing := pick(o, tools, packages)
		if len(missing) > 0 {
			o.Warnf("no environment of %s: no package for %s", join(tools), strings.Join(missing, ", "))
			continue
		}
		data, err := nixenv.Pin(system, picked, f.with)
		if err != nil {
			return err
		}
		if err := f.write(w, dotsame.EnvironmentPath(tools), data); err != nil {
			return err
		}
	}
	return nil
}

// adopt copies the environments that another same env wrote.
func (f *envFlags) adopt() error {
	if f.out != "" || f.file != "" || len(f.packages) > 0 {
		return cli.Usagef("--from can only be combined with --directory")
	}
	root, err := manifest.Root(f.o.Dir)
	if err != nil {
		return cli.Unreadable(err)
	}
	if err := dotsame.Open(root).CheckLinks(); err != nil {
		return cli.UsageError{Err: err}
	}
	_, err = nixenv.Adopt(root, f.from)
	return err
}

// given returns the packages on the command line: name → store path.
func (f *envFlags) given() (map[string]string, error) {
	packages := map[string]string{}
	if f.file != "" {
		if err := readPackages(f.o, f.file, packages); err != nil {
			return nil, message.WithHint(fmt.Errorf("%s: %w", f.file, err),
				`write a JSON object: {"go": "/nix/store/…-go-1.25.4"}`)
		}
	}
	for _, p := range f.packages {
		// A spec may have an = of its own.
		name, path, ok := strings.Cut(p, "=/")
		if !ok || name == "" {
			return nil, cli.Usagef("--package %q is not NAME=STOREPATH", p)
		}
		if before, twice := packages[name]; twice && before != "/"+path {
			return nil, cli.Usagef("the package %q is given twice", name)
		}
		packages[name] = "/" + path
	}
	if len(packages) == 0 {
		return nil, message.WithHint(cli.Usagef("no package is given"), "same help env shows how")
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

// checkNames returns an error if the name of a package matches no tool, or several.
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
				return message.WithHint(err, "none declares a tool")
			}
			return message.WithHint(err, "the tools are %s", strings.Join(known, ", "))
		case len(of) > 1:
			return message.WithHint(fmt.Errorf("the tool %q has several specs: %s", name, strings.Join(of, ", ")),
				"name the spec instead: --package %s=…", of[0])
		}
	}
	return nil
}

// toolSets returns the distinct sets of tools of the tasks, in order of the tasks.
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

// pick returns the packages of tools, and the aliases that have none.
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

// write writes an environment to --out, or to the workspace.
func (f *envFlags) write(w *manifest.Workspace, file string, data []byte) error {
	if f.out == "" {
		return dotsame.Open(w.Root).WriteFile(file, data)
	}
	dir, err := disk.OpenRoot(f.out)
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
