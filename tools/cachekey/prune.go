package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/manifest"
	"cachekey/internal/prune"
)

func pruneCommand() *cli.Command {
	return &cli.Command{
		Name:  "prune",
		Args:  "[flags]",
		Short: "before a save: remove what the workspace no longer refers to",
		Long: `Keeps the build infos of the tasks that the manifests declare, the outputs that
these name, and the environments and resolutions of the tools that tasks ask for.
The rest of .same/store and .same/cache goes, and so do the daemon and the log of
the existing same, and temporary files.

--max-size then drops the outputs of tasks, least recently used first, until the
rest fits. A task counts as used when it ran or was skipped. SIZE is a number and
B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).

Examples:
  $ cachekey prune && cachekey seal        before a save
  $ cachekey prune --dry-run               what would go
  $ cachekey prune --max-size 500MB`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			var dir string
			directoryFlag(fs, &dir)
			most := byteSize(0)
			fs.Var(&most, "max-size", "drop outputs until no more than `SIZE` is carried (default: no limit)")
			dry := fs.Bool("dry-run", false, "only say what would go")
			asJSON := fs.Bool("json", false, "print the sums for a script")
			return func(ctx context.Context, o *cli.IO, _ []string) error {
				w, err := manifest.Load(dir)
				if err != nil {
					return err
				}
				said := &pruned{o: o, verb: "removed"}
				if *dry {
					said.verb = "would remove"
				}
				options := prune.Options{Workspace: w, MaxSize: -1, DryRun: *dry, Gone: said.say, Warnf: o.Warnf}
				if fs.Changed("max-size") {
					options.MaxSize = int64(most)
				}
				defer newProgress(o, "pruning").stop()
				r, err := prune.Run(ctx, options)
				if err != nil {
					return err
				}
				said.sum(r, options.MaxSize)
				if *asJSON {
					return printJSON(o.Out, prunedDocument{
						Schema: "v1", DryRun: *dry, Removed: r.Gone.Entries, RemovedBytes: r.Gone.Bytes,
						Kept: r.Kept.Entries, KeptBytes: r.Kept.Bytes,
					})
				}
				return nil
			}
		},
	}
}

// A prunedDocument is what prune --json prints.
type prunedDocument struct {
	Schema       string `json:"schema"`
	DryRun       bool   `json:"dryRun"`
	Removed      int64  `json:"removed"` // files and directories
	RemovedBytes int64  `json:"removedBytes"`
	Kept         int64  `json:"kept"` // files that are carried
	KeptBytes    int64  `json:"keptBytes"`
}

// pruned tells people what went.
type pruned struct {
	o    *cli.IO
	verb string
}

func (p *pruned) say(g prune.Gone) {
	p.o.Sayf("%s %s: %s (%s)", p.verb, g.What, g.Why, byteSize(g.Bytes))
}

func (p *pruned) sum(r *prune.Result, most int64) {
	if r.Unnamed > 0 {
		p.o.Sayf("%s %d more", p.verb, r.Unnamed)
	}
	if r.Blobs.Entries > 0 {
		p.o.Sayf("%s %s that no task names, %s", p.verb, count(int(r.Blobs.Entries), "blob"), byteSize(r.Blobs.Bytes))
	}
	freed := "freed"
	if p.verb != "removed" {
		freed = "would free"
	}
	kept := fmt.Sprintf("%s, %s", count(int(r.Kept.Entries), "file"), byteSize(r.Kept.Bytes))
	p.o.Sayf("%s %s; kept %s", freed, byteSize(r.Gone.Bytes), kept)
	if most >= 0 && r.Kept.Bytes > most {
		p.o.Warnf("what is kept is more than %s: build infos, environments and resolutions are not dropped for their size", byteSize(most))
	}
}
