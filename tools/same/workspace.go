package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"runtime"

	"cachekey/internal/cli"
	"cachekey/internal/engine"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/nixenv"
)

// open reads the workspace that contains dir, and returns the tasks that names
// select in it.
func open(dir string, o *cli.IO, names []string) (c engine.Config, tasks []*manifest.Task, err error) {
	w, err := manifest.Load(dir)
	if err != nil {
		return c, nil, err
	}
	for _, warning := range w.Warnings {
		o.Warnf("%s", warning)
	}
	if len(names) == 0 {
		return c, nil, message.WithHint(message.Usagef("no task is named"), "%s", known(w))
	}
	tasks, err = w.Select(names...)
	if err != nil {
		return c, nil, err
	}
	system, err := key.System(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return c, nil, err
	}
	return engine.Config{
		Workspace: w,
		Resolver:  resolver(w, system, o),
		System:    system,
		Own:       ownPath(),
		LookupEnv: os.LookupEnv,
		Warnf:     o.Warnf,
	}, tasks, nil
}

// known lists the tasks of the workspace in a hint.
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

// resolver resolves tools. SAME_NIXHUB is the address of a mirror of Nixhub's API.
func resolver(w *manifest.Workspace, system string, o *cli.IO) *nixenv.Resolver {
	return &nixenv.Resolver{Root: w.Root, System: system, Warnf: o.Warnf, Nixhub: o.Getenv("SAME_NIXHUB"), Get: get}
}

// get sends a request to Nixhub. Nothing else in this repository uses the network.
func get(ctx context.Context, url string) (status int, body io.ReadCloser, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("User-Agent", "same/"+cli.Version())
	req.Header.Set("Accept", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	return res.StatusCode, res.Body, nil
}
