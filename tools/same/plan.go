package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"cachekey/internal/cli"
	"cachekey/internal/engine"
	"cachekey/internal/manifest"
)

const planLong = `Each task is one of
  cached    it would be skipped
  run       it would run, for the reasons given
  depends   something that it depends on runs first, and only the result of that
            can make it run

Without a TASK it is all of them. Nothing is run and nothing is restored.

Examples:
  $ same plan
  $ same plan --json test build >plan.json`

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Args:  "[flags] [TASK…]",
		Short: "say what would run, and why",
		Long:  planLong,
		Words: taskNames,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *cli.IO, []string) error {
			dir := directoryFlag(fs)
			asJSON := fs.Bool("json", false, "print {schema, tasks: [{task, state, reasons: [{kind, path}]}]}")
			return func(ctx context.Context, o *cli.IO, args []string) error {
				if len(args) == 0 {
					args = []string{manifest.All}
				}
				config, tasks, err := open(*dir, o, args)
				if err != nil {
					return err
				}
				plan, err := config.Plan(ctx, tasks)
				if err != nil {
					return err
				}
				if *asJSON {
					enc := json.NewEncoder(o.Out)
					enc.SetIndent("", "  ")
					enc.SetEscapeHTML(false)
					return enc.Encode(plan)
				}
				printPlan(o.Out, plan)
				return nil
			}
		},
	}
}

// maxReasons is how many reasons of one task are printed.
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
		}
	}
}
