package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/engine"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

func planCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "plan [flags] [TASK…]",
		Short: "print which tasks would run, and why",
		Long: `Print which tasks would run, without a TASK of all. Nothing is run and nothing is
restored. Each task has a state:

    cached    it would be skipped
    run       it would run, for the reasons that follow
    depends   a dependency would run, and whether this task runs depends on its result
    fails     it would fail before its command runs, or a dependency would

Exit codes: 0 done, whatever the states are; 2 called wrongly, or a mistake in
same.yaml.`,
		Example: `  $ same plan
  $ same plan --json test build >plan.json`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeTasks(o),
	}
	asJSON := c.Flags().Bool("json", false, "print {schema, tasks: [{task, state, reasons: [{kind, path, message, hint}], toolchain_known}]}")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{manifest.All}
		}
		config, tasks, err := open(c.Context(), o, args)
		if err != nil {
			return err
		}
		plan, err := config.Plan(c.Context(), tasks)
		if err != nil {
			return err
		}
		if *asJSON {
			return o.PrintJSON(plan)
		}
		printPlan(o.Out, plan)
		return nil
	}
	return c
}

// maxReasons is the maximum number of reasons that are printed for one task.
const maxReasons = 10

func printPlan(w io.Writer, plan *engine.Plan) {
	for _, t := range plan.Tasks {
		fmt.Fprintf(w, "%-8s %s\n", t.State, t.Task)
		for i, reason := range t.Reasons {
			if i == maxReasons {
				fmt.Fprintf(w, "         … and %d more\n", len(t.Reasons)-i)
				break
			}
			fmt.Fprintf(w, "         %s\n", reason)
			if reason.Hint != "" {
				fmt.Fprintf(w, "         hint: %s\n", message.OneLine(reason.Hint))
			}
		}
	}
}

func cleanCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "clean [flags]",
		Short: "remove the cache: every task runs again",
		Long: `Remove the results of tasks from .same. Outputs in the workspace stay where they
are; every task runs again next time.`,
		Example: `  $ same clean          remove results: .same/store
  $ same clean --all    remove resolved tools and environments too: .same/cache, and
                        what was moved aside: .same/local/aside, .same/local/refused-*`,
	}
	all := c.Flags().Bool("all", false, "remove resolved tools and environments too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		root, err := manifest.Root(o.Dir) // mistakes in the manifests do not matter here
		if err != nil {
			return cli.Unreadable(err)
		}
		lines := &engine.Lines{To: o.Err}
		err = dotsame.Open(root).Clean(c.Context(), *all, lines.Waiting, o.Warnf)
		if errors.As(err, new(*dotsame.LinkError)) {
			err = cli.UsageError{Err: err}
		}
		return err
	}
	return c
}
