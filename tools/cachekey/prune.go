package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/prune"
	"cachekey/internal/realise"
)

func pruneCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "prune [flags]",
		Short: "before a save: remove what the workspace does not use",
		Long: `Remove from .same what this workspace does not use. It keeps the build infos of
the tasks that the manifests declare, the outputs that these refer to, and the
environments and resolutions of the tasks' tools. Of the earlier results of tasks it
keeps those that were used in the last 7 days, as long as they are together not
larger than the current ones. It removes everything else below .same/store and
.same/cache, temporary files, and the daemon and log of upstream same.

--max-size then removes earlier results, and after them the outputs of tasks, least
recently used first, until the rest fits. A task counts as used when it ran or was skipped. SIZE is a number and B, kB,
MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).`,
		Example: `  $ cachekey prune && cachekey seal        before a save
  $ cachekey prune --dry-run               list what would be removed
  $ cachekey prune --max-size 500MB`,
	}
	fs := c.Flags()
	most := cli.Bytes(0)
	fs.Var(&most, "max-size", "remove outputs until the cache has at most `SIZE` (default: no limit)")
	history := cli.Age(7 * 24 * time.Hour)
	fs.Var(&history, "history", "keep earlier results that were used in the last `TIME`, such as 12h or 7d; 0 keeps none")
	dry := fs.Bool("dry-run", false, "only list what would be removed")
	fs.Lookup("max-size").DefValue = "" // zero is not the default
	asJSON := fs.Bool("json", false, "print the totals as JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		w, err := manifest.Load(o.Dir)
		if err != nil {
			return cli.UsageError{Err: err}
		}
		warnOfSharedStore(o, w.Root)
		report := &pruned{o: o, verb: "removed"}
		if *dry {
			report.verb = "would remove"
		}
		options := prune.Options{Workspace: w, MaxSize: -1, History: time.Duration(history), Now: time.Now(), DryRun: *dry, Gone: report.entry, Warnf: o.Warnf}
		if fs.Changed("max-size") {
			options.MaxSize = int64(most)
		}
		defer newProgress(o, "pruning").stop()
		r, err := prune.Run(c.Context(), options)
		if err != nil {
			return refused(err)
		}
		report.sum(r, options.MaxSize)
		if *asJSON {
			return o.PrintJSON(prunedDocument{
				Schema: "v1", DryRun: *dry, Removed: r.Gone.Entries, RemovedBytes: r.Gone.Bytes,
				Kept: r.Kept.Entries, KeptBytes: r.Kept.Bytes,
			})
		}
		return nil
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

// A prunedDocument is the output of prune --json.
type prunedDocument struct {
	Schema       string `json:"schema"`
	DryRun       bool   `json:"dryRun"`
	Removed      int64  `json:"removed"` // files and directories
	RemovedBytes int64  `json:"removedBytes"`
	Kept         int64  `json:"kept"` // files that are carried
	KeptBytes    int64  `json:"keptBytes"`
}

// A pruned prints the files that prune removed.
type pruned struct {
	o    *cli.IO
	verb string
}

func (p *pruned) entry(g prune.Gone) {
	p.o.Infof("%s %s: %s (%s)", p.verb, g.What, g.Why, cli.Bytes(g.Bytes))
}

func (p *pruned) sum(r *prune.Result, most int64) {
	if r.Unnamed > 0 {
		p.o.Infof("%s %d more", p.verb, r.Unnamed)
	}
	if r.History.Entries > 0 {
		p.o.Infof("%s earlier results, %s", p.verb, cli.Bytes(r.History.Bytes))
	}
	if r.Blobs.Entries > 0 {
		p.o.Infof("%s %s that no result names, %s", p.verb, count(int(r.Blobs.Entries), "blob"), cli.Bytes(r.Blobs.Bytes))
	}
	freed := "freed"
	if p.verb != "removed" {
		freed = "would free"
	}
	kept := fmt.Sprintf("%s, %s", count(int(r.Kept.Entries), "file"), cli.Bytes(r.Kept.Bytes))
	p.o.Infof("%s %s; kept %s", freed, cli.Bytes(r.Gone.Bytes), kept)
	if most >= 0 && r.Kept.Bytes > most {
		p.o.Warnf("the rest is larger than %s: build infos, environments and resolutions are not removed for their size", cli.Bytes(most))
	}
}

func realiseCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "realise [flags]",
		Short: "after a restore: fetch the store paths that environments need",
		Long: `Fetch the Nix store paths that restored environments name and that do not exist
here, all in one call of nix-store --realise, from the substituters that Nix is
configured with. An environment that cannot be completed, or that is for another
system, is removed: same makes it again. The store paths of the others are protected
from Nix's garbage collector for as long as the environment exists.

Run it after verify: it asks Nix for every path that the cache names.`,
		Example: `  $ cachekey verify && cachekey realise`,
	}
	fs := c.Flags()
	system := fs.String("system", "", "`SYSTEM` in Nix's notation, such as x86_64-linux (default: this machine's)")
	timeout := fs.Duration("timeout", 10*time.Minute, "stop Nix after `TIME`, such as 90s or 10m")
	asJSON := fs.Bool("json", false, "print the numbers as JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *timeout <= 0 {
			return cli.Usagef("--timeout %v leaves Nix no time", *timeout)
		}
		own := key.System(runtime.GOOS, runtime.GOARCH)
		root, err := manifest.Root(o.Dir)
		if err != nil {
			return cli.Unreadable(err)
		}
		defer newProgress(o, "fetching missing store paths with Nix").stop()
		r, err := realise.Run(c.Context(), realise.Options{
			Root: root, System: cmp.Or(*system, own), Timeout: *timeout,
			Describe: describeTools(o.Dir), Infof: o.Infof, Warnf: o.Warnf,
		})
		if err != nil {
			return refused(err)
		}
		o.Infof("%s ready, %d dropped, %s fetched", count(r.Kept, "environment"), r.Dropped, count(r.Fetched, "store path"))
		if *asJSON {
			return o.PrintJSON(r)
		}
		return nil
	}
	return c
}

// describeTools returns a function that returns the tools of an environment, or
// "" if the manifests of dir do not declare them.
func describeTools(dir string) func(id string) string {
	names := map[string]string{}
	if w, err := manifest.Load(dir); err == nil {
		for _, t := range w.Tasks {
			if len(t.Tools) > 0 {
				names[dotsame.EnvironmentID(t.Tools)] = strings.Join(slices.Sorted(maps.Values(t.Tools)), ", ")
			}
		}
	}
	return func(id string) string { return names[id] }
}
