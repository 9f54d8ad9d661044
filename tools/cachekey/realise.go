package main

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/realise"
)

func realiseCommand() *cli.Command {
	return &cli.Command{
		Name:  "realise",
		Args:  "[flags]",
		Short: "after a restore: make what restored environments name exist",
		Long: `Restored environments name paths in the Nix store. Nix is asked once for all that
do not exist here (nix-store --realise, with its substituters as configured). An
environment that can't be made whole, or is of another system, is dropped: same
makes it anew. What is kept is safe from Nix's garbage collector for as long as
the environment lives.

Run it after verify: what it asks Nix for is what the cache says.`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			var dir string
			directoryFlag(fs, &dir)
			system := fs.String("system", "", "the `SYSTEM` as Nix names it (default: this machine's)")
			timeout := fs.Duration("timeout", 10*time.Minute, "how long Nix may take: a `TIME` such as 90s or 10m")
			asJSON := fs.Bool("json", false, "print the numbers for a script")
			return func(ctx context.Context, o *cli.IO, _ []string) error {
				if *timeout <= 0 {
					return message.Usagef("--timeout %v leaves Nix no time", *timeout)
				}
				own, err := key.System(runtime.GOOS, runtime.GOARCH)
				if err != nil && *system == "" {
					return err
				}
				root, err := manifest.Root(dir)
				if err != nil {
					return err
				}
				defer newProgress(o, "having Nix fetch what is absent").stop()
				r, err := realise.Run(ctx, realise.Options{
					Root: root, System: cmp.Or(*system, own), Timeout: *timeout,
					Describe: describeTools(dir), Sayf: o.Sayf, Warnf: o.Warnf,
				})
				if err != nil {
					return err
				}
				o.Sayf("%s ready, %d dropped, %s fetched", count(r.Kept, "environment"), r.Dropped, count(r.Fetched, "store path"))
				if *asJSON {
					return printJSON(o.Out, r)
				}
				return nil
			}
		},
	}
}

// describeTools gives a function that says which tools an environment is of, as
// far as the manifests of dir tell.
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
