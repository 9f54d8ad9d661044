package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/engine"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

func planCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "plan [flags] [TASK…]",
		Short: "print which tasks would run, and why",
		Long: `Print which of the given tasks and their dependencies would run; without a TASK, of
all tasks. No task runs and no output is restored. Each task has a state:

    cached    it would be skipped
    run       it would run, for the reasons that follow
    depends   a dependency would run, and its outputs decide whether this task runs
    fails     it would fail before its command starts, or a dependency would

Exit codes: 0 done, whatever the states are; 2 usage error, or a mistake in
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

// maxReasons limits the reasons that are printed for one task.
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
