package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/engine"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/prune"
)

func cleanCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "clean [flags]",
		Short: "remove the cache: every task runs again",
		Long: `Remove the results of tasks from .same. Outputs in the workspace stay where they
are; every task runs again next time.`,
		Example: `  $ same clean          remove results: .same/store
  $ same clean --all    also remove resolved tools and environments (.same/cache) and
                        files moved aside (.same/local/aside, .same/local/refused-*)`,
	}
	all := c.Flags().Bool("all", false, "also remove resolved tools, environments and files moved aside")
	c.RunE = func(c *cobra.Command, _ []string) error {
		root, err := manifest.Root(o.Dir) // mistakes in the manifests do not matter here
		if err != nil {
			return cli.Unreadable(err)
		}
		store, err := sharedStore(o, root)
		if err != nil {
			return err
		}
		lines := &engine.Lines{To: o.Err}
		err = dotsame.Open(root).Clean(c.Context(), *all, lines.Waiting, o.Warnf)
		if err == nil && store != "" {
			o.Warnf("the results in %s stay: other workspaces share them", message.Name(store))
		}
		return refused(err)
	}
	return c
}

// refused sets exit code 2 if .same, or one of its directories, is a symbolic link.
func refused(err error) error {
	if errors.As(err, new(*dotsame.LinkError)) {
		return cli.UsageError{Err: err}
	}
	return err
}

func gcCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "gc [flags]",
		Short: "remove results that were not used for long",
		Long: `Remove from .same/store the results that were not used within --max-age, and then
the least recently used ones until the store is at most as large as --max-size. A
result is used when its task runs, or is skipped with it. The last results of this
workspace's tasks always stay: what would be skipped before is skipped after.

same run does this by itself, at the end and at most once a day, with the defaults.
It does not if the variable CI is set: there, cachekey prune decides what is saved.

SIZE is a number and B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers
of 1024). TIME is such as 12h or 7d.`,
		Example: `  $ same gc
  $ same gc --dry-run              print what it would free
  $ same gc --max-age 0            keep only the last results`,
	}
	fs := c.Flags()
	most := cli.Bytes(prune.MaxSize)
	fs.Var(&most, "max-size", "remove the least recently used results beyond `SIZE`")
	fs.Lookup("max-size").DefValue = "10GB"
	age := cli.Age(prune.MaxAge)
	fs.Var(&age, "max-age", "remove results that were not used in the last `TIME`; 0 removes all but the last ones")
	dry := fs.Bool("dry-run", false, "only print what would be freed")
	c.RunE = func(c *cobra.Command, _ []string) error {
		w, err := manifest.Load(o.Dir)
		if err != nil {
			return cli.UsageError{Err: err}
		}
		store, err := sharedStore(o, w.Root)
		if err != nil {
			return err
		}
		return refused(collect(c.Context(), o, prune.Options{
			Workspace: w, Store: store, MaxSize: int64(most), History: time.Duration(age), Now: time.Now(), DryRun: *dry, Warnf: o.Warnf,
		}))
	}
	return c
}

// collect removes old results and prints how much it has freed.
func collect(ctx context.Context, o *cli.IO, options prune.Options) error {
	removed, freed := "removed", "freed"
	if options.DryRun {
		removed, freed = "would remove", "would free"
	}
	options.Gone = func(g prune.Gone) { o.Infof("%s %s: %s (%s)", removed, g.What, g.Why, cli.Bytes(g.Bytes)) }
	dir := dotsame.OpenShared(options.Workspace.Root, options.Store)
	if err := dir.CheckLinks(); err != nil {
		return err
	}
	if _, err := os.Lstat(dir.Path(dotsame.Name)); err == nil && !options.DryRun {
		lines := &engine.Lines{To: o.Err}
		lock, err := dir.Lock(ctx, lines.Waiting)
		if err != nil {
			return err
		}
		defer lock.Unlock()
	}
	r, err := prune.Collect(ctx, options)
	if err != nil {
		return err
	}
	o.Infof("%s %s; kept %s", freed, cli.Bytes(r.Gone.Bytes), cli.Bytes(r.Kept.Bytes))
	if r.Kept.Bytes > options.MaxSize {
		o.Warnf("the last results of this workspace's tasks are larger than %s, and stay: same clean removes them", cli.Bytes(options.MaxSize))
	}
	return nil
}
