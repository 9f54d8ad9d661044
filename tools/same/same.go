// Command same is a task runner: it runs the tasks of same.yaml and skips those
// whose inputs have not changed.
package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/engine"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/nixenv"
	"cachekey/internal/source"
)

func program(o *cli.IO) *cobra.Command {
	root := &cobra.Command{
		Use:   "same",
		Short: "run the tasks of same.yaml and skip those whose inputs have not changed",
		Long: `same runs the tasks of same.yaml and skips those whose inputs have not changed.
The outputs of a skipped task are restored from .same.

Exit codes: 0 done; 1 a task failed; 2 usage error, or a mistake in same.yaml.
docs/exit-codes.md lists them by command.`,
		Example: `  $ same run all          run every task
  $ same plan             list what would run, and why
  $ same help run         describe a command`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return nil
			case slices.Contains(taskNames(o), args[0]):
				return message.WithHint(cli.Usagef("unknown command %q", args[0]), "did you mean: same run %s", args[0])
			}
			return cli.UnknownCommand(c, args[0])
		},
		RunE: func(*cobra.Command, []string) error {
			return message.WithHint(cli.Usagef("no command given"), "same help lists the commands")
		},
	}
	root.AddCommand(runCommand(o), planCommand(o), logCommand(o), cleanCommand(o), gcCommand(o), envCommand(o))
	return root
}

// completeTasks returns a completion function that offers the names of tasks.
func completeTasks(o *cli.IO) cobra.CompletionFunc {
	return cli.Names(func() []string { return taskNames(o) })
}

// taskNames returns the names that run and plan accept, or nothing if the manifests
// cannot be read.
func taskNames(o *cli.IO) []string {
	w, err := manifest.Load(o.Dir)
	if err != nil {
		return nil
	}
	names := []string{manifest.All}
	for _, t := range w.Tasks {
		names = append(names, t.Name)
	}
	return names
}

// load reads the workspace of the current directory and prints its warnings.
func load(o *cli.IO) (*manifest.Workspace, error) {
	w, err := manifest.Load(o.Dir)
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	for _, warning := range w.Warnings {
		o.Warnf("%s", warning)
	}
	if len(w.Tasks) == 0 {
		o.Warnf("the manifests of %s declare no task: add one under tasks in same.yaml", message.Name(w.Root))
	}
	return w, nil
}

// open loads the workspace and selects the tasks with the given names.
func open(ctx context.Context, o *cli.IO, names []string) (c engine.Config, tasks []*manifest.Task, err error) {
	w, err := load(o)
	if err != nil {
		return c, nil, err
	}
	if len(names) == 0 {
		return c, nil, message.WithHint(cli.Usagef("no task is named"), "%s", known(w))
	}
	tasks, err = w.Select(names...)
	if err != nil {
		return c, nil, cli.UsageError{Err: err}
	}
	store, err := sharedStore(o, w.Root)
	if err != nil {
		return c, nil, err
	}
	if owner := dotsame.Owner(store); owner != "" {
		if err := checkTracked(ctx, o, owner); err != nil {
			o.Warnf("the results of %s are not used: %v", message.Name(owner), err)
			store = ""
		}
	}
	if err := dotsame.OpenShared(w.Root, store).CheckLinks(); err != nil {
		return c, nil, cli.UsageError{Err: err}
	}
	if err := checkTracked(ctx, o, w.Root); err != nil {
		return c, nil, err
	}
	system := key.System(runtime.GOOS, runtime.GOARCH)
	own, err := os.Executable()
	if err != nil {
		own = ""
	}
	return engine.Config{
		Workspace: w,
		Resolver:  resolver(w, system, o),
		System:    system,
		Own:       own,
		Store:     store,
		LookupEnv: os.LookupEnv,
		Warnf:     o.Warnf,
	}, tasks, nil
}

// sharedStore returns where the workspace at root shares results with others, or "".
func sharedStore(o *cli.IO, root string) (string, error) {
	store, err := dotsame.SharedStore(root, o.Dir, os.LookupEnv)
	return store, cli.Unreadable(err)
}

// checkTracked returns an error if git tracks .same or a file in it. Then the results
// came with the checkout, and were never verified.
func checkTracked(ctx context.Context, o *cli.IO, root string) error {
	if _, err := os.Lstat(filepath.Join(root, dotsame.Name)); err != nil {
		return nil
	}
	tracked, err := source.Tracked(ctx, root, dotsame.Name)
	if err != nil {
		o.Warnf("cannot tell whether git tracks %s: %v", dotsame.Name, err)
		return nil
	}
	if tracked == "" {
		return nil
	}
	return message.WithHint(cli.Usagef("git tracks %s, so %s came with the checkout", message.Quote(tracked), dotsame.Name),
		"git rm -r -q --cached %[1]s, and delete it unless its results are your own: rm -r %[1]s", dotsame.Name)
}

// known lists the tasks of w, for a hint.
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

// resolver returns the resolver of tools. SAME_NIXHUB is the address of a mirror of Nixhub's API.
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
