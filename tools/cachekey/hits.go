package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/hits"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/seal"
)

func hitsCommand() *cli.Command {
	return &cli.Command{
		Name:  "hits",
		Args:  "[flags] LOG…",
		Short: "after a build: say what was skipped, and whether it should have been",
		Long: `Reads what same run --ci printed ("-" is standard input) and shows which tasks
were skipped, which ran and which failed. Logs of the existing Go same and logs
downloaded from GitHub do too. A task that ran in one log and was skipped in
another, ran. A log without a line about any task is an error.

--plan takes what same plan --json printed before the run: every task that it
called cached must have been skipped, and none that it called run.

--github appends the table to the job's summary, with the time that was saved
and, if the cache was not of this very key, what changed since it was saved; and
the outputs skipped, ran and failed, which are numbers of tasks.

Exit code 1 says that something was not as required.

Examples:
  $ same run --ci all | tee same.log; cachekey hits same.log
  $ cachekey hits --require all same.log
  $ same plan --json all > plan.json; same run --ci all | cachekey hits --plan plan.json -`,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			options := keyFlags(fs)
			keyFile := keyFileFlag(fs)
			require := fs.String("require", "", "fail unless `WHICH` were skipped: all, none, a percentage (80%) or tasks (build,test)")
			plan := fs.String("plan", "", "fail if it did not go as planned in `FILE`, of same plan --json")
			asJSON := fs.Bool("json", false, "print the result for a script")
			forGitHub := fs.Bool("github", false, "append to the job's summary, the file $GITHUB_STEP_SUMMARY, and to $GITHUB_OUTPUT")
			return func(ctx context.Context, o *cli.IO, args []string) error {
				if len(args) == 0 {
					return message.WithHint(message.Usagef("no log is given"), "same run --ci all | cachekey hits -")
				}
				opts, err := options()
				if err != nil {
					return err
				}
				var required *hits.Requirement
				if fs.Changed("require") {
					if required, err = hits.ParseRequirement(*require); err != nil {
						return err
					}
				}
				var planned *hits.Plan
				if *plan != "" {
					if planned, err = readPlan(o, inDirectory(opts.Dir, *plan), *plan); err != nil {
						return err
					}
				}
				log, err := readLogs(o, opts.Dir, args)
				if err != nil {
					return err
				}
				root, noRoot := manifest.Root(opts.Dir)
				if noRoot == nil {
					dir := dotsame.Open(root)
					log.LookUpSaved(func(task string) time.Duration {
						if info, err := dir.ReadBuildInfo(task); err == nil && info != nil {
							return info.Duration()
						}
						return 0
					})
				}
				r := &hits.Report{Log: log}
				if required != nil {
					r.Wrong = append(r.Wrong, required.Check(log)...)
				}
				if planned != nil {
					r.Wrong = append(r.Wrong, planned.Check(log)...)
				}
				if *forGitHub {
					if noRoot == nil {
						r.Restored, r.Now = restored(ctx, o, root, *keyFile, opts)
					}
					if err := appendSummary(o.Getenv, r.WriteMarkdown); err != nil {
						return err
					}
					if err := outputCounts(o, log); err != nil {
						return err
					}
				}
				if *asJSON {
					err = printJSON(o.Out, r.JSON())
				} else {
					err = log.WriteTable(o.Out)
				}
				failures := []error{err}
				for _, w := range r.Wrong {
					failures = append(failures, errors.New(w))
				}
				return message.Join(failures...)
			}
		},
	}
}

func readLogs(o *cli.IO, dir string, args []string) (*hits.Log, error) {
	r := hits.NewReader()
	for _, arg := range args {
		in := o.In
		if arg != "-" {
			f, err := os.Open(inDirectory(dir, arg))
			if err != nil {
				return nil, err
			}
			defer f.Close()
			in = f
		}
		before := r.Lines()
		if err := r.Read(in); err != nil {
			return nil, fmt.Errorf("log %q: %w", arg, err)
		}
		if r.Lines() == before {
			return nil, message.WithHint(fmt.Errorf("log %q has no line about any task", arg), "it takes what same run --ci prints: \"[task] Starting...\"")
		}
	}
	return r.Log(), nil
}

func readPlan(o *cli.IO, file, arg string) (*hits.Plan, error) {
	if arg == "-" {
		return hits.ParsePlan(o.In)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := hits.ParsePlan(f)
	if err != nil {
		return nil, message.WithHint(fmt.Errorf("%s: %w", file, err), "same plan --json writes one")
	}
	return p, nil
}

// restored gives what is known of the cache and of the key. What is not known
// is no reason to fail after a build.
func restored(ctx context.Context, o *cli.IO, root, keyFile string, opts key.Options) (*seal.Verdict, *key.Document) {
	v, err := seal.Restored(root)
	if err != nil {
		o.Warnf("what verify found can't be told: %v", err)
	}
	now, err := documentOf(ctx, o, keyFile, opts)
	if err != nil {
		o.Warnf("what changed can't be told: %v", err)
	}
	return v, now
}

func outputCounts(o *cli.IO, l *hits.Log) error {
	if o.Getenv("GITHUB_OUTPUT") == "" {
		return nil
	}
	number := func(of ...hits.Status) string { return strconv.Itoa(l.Count(of...)) }
	return appendOutputs(o.Getenv,
		output{Name: "skipped", Value: number(hits.Skipped)},
		output{Name: "ran", Value: number(hits.Ran)},
		output{Name: "failed", Value: number(hits.Failed, hits.Unfinished)},
	)
}
