package main

import (
	"os"
	"runtime"

	"cachekey/internal/build"
	"cachekey/internal/cli"
	"cachekey/internal/manifest"
	"cachekey/internal/nixenv"
)

// open reads the workspace that dir lies in, and finds the tasks that names
// select.
func open(dir string, o *cli.IO, names []string) (*build.Runner, []*manifest.Task, error) {
	w, err := manifest.Load(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, warning := range w.Warnings {
		o.Warnf("%s", warning)
	}
	if len(names) == 0 {
		return nil, nil, cli.WithHint(cli.Usagef("no task is named"), "%s", known(w))
	}
	tasks, err := w.Select(names...)
	if err != nil {
		return nil, nil, err
	}
	return &build.Runner{
		Workspace: w,
		Resolver:  resolver(w, o),
		System:    system(),
		Own:       ownPath(),
		LookupEnv: os.LookupEnv,
		Warnf:     o.Warnf,
	}, tasks, nil
}

// known says which tasks there are, for whoever has named none.
func known(w *manifest.Workspace) string {
	text := "name all, or some of:"
	for i, t := range w.Tasks {
		if i == 20 {
			return text + " …"
		}
		text += " " + t.Name
	}
	return text
}

func resolver(w *manifest.Workspace, o *cli.IO) *nixenv.Resolver {
	return &nixenv.Resolver{Root: w.Root, System: system(), Warnf: o.Warnf}
}

// system is this machine's, as Nix calls it.
func system() string {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return arch + "-" + runtime.GOOS
}
