package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/engine"
	"cachekey/internal/message"
)

const runLong = `A task is skipped, and its targets are put back in place, if its inputs are
those of its last success: the files that its patterns match, its command, its
environment, its tools, and what it depends on. Its name then appears in one line:
  [task] Skipped (Cached)

Examples:
  $ same run build            build and all that it depends on
  $ same run --ci all         every task, as plain lines
  $ same run -n test          test and all that it depends on, whatever is remembered
  $ same run --pass-env SSH_AUTH_SOCK deploy

Tools are resolved by the workspace's flake.lock (nixpkgs#go, .#lint) or by Nixhub
(go@1.25.4; SAME_NIXHUB is the address of a mirror), and then made by Nix.
On GitHub Actions each task's output is folded, and a failure is an annotation.
Exit codes: 0 every task succeeded or was skipped, 1 one failed, 2 misused.`

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Args:  "[flags] TASK…|all",
		Short: "run tasks, and skip what has not changed",
		Long:  runLong,
		Words: taskNames,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			dir := directoryFlag(fs)
			ci := fs.Bool("ci", false, "plain lines without colours, on a terminal too")
			noCache := fs.BoolP("no-cache", "n", false, "run every task, whatever is remembered")
			jobs := fs.IntP("jobs", "j", 0, "run `N` tasks at once (default: one a core)")
			keepGoing := fs.Bool("keep-going", false, "after a failure run all that does not depend on it")
			passEnv := fs.StringArray("pass-env", nil, "let tasks see the variable `NAME` too; it never makes a task run again (repeatable)")
			return func(ctx context.Context, o *cli.IO, args []string) error {
				if fs.Changed("jobs") && *jobs < 1 {
					return message.Usagef("--jobs %d: at least one task has to run at once", *jobs)
				}
				config, tasks, err := open(*dir, o, args)
				if err != nil {
					return err
				}
				config.NoCache, config.Jobs, config.KeepGoing, config.PassEnv = *noCache, *jobs, *keepGoing, *passEnv
				config.Report = &engine.Lines{
					To:     o.Out,
					GitHub: o.Getenv("GITHUB_ACTIONS") == "true",
					Colour: !*ci && o.Colour(o.Out),
				}
				if !*ci && cli.Terminal(o.Out) {
					live := &live{Reporter: config.Report, tasks: len(tasks)}
					defer o.Status(live.status)()
					config.Report = live
				}
				_, err = config.Run(ctx, tasks)
				if errors.Is(err, engine.ErrTasksFailed) {
					return cli.ErrFailed
				}
				return err
			}
		},
	}
}

func directoryFlag(fs *pflag.FlagSet) *string {
	return fs.StringP("directory", "C", ".", "work as if started in `DIR`")
}

func ownPath() string {
	own, err := os.Executable()
	if err != nil {
		return ""
	}
	return own
}
