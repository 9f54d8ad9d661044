package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/engine"
	"cachekey/internal/message"
)

func logCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "log TASK",
		Short: "print what a task printed when it last succeeded",
		Long: `Print what a task printed when it last succeeded, or what the run printed whose result
it was last skipped with. Of very much output, the first and the last 8 MiB are kept.
The values of variables that a task sees by --pass-env are replaced by ***.

On a terminal, escape sequences other than colours are removed. Elsewhere the output is
printed as it was.

Exit codes: 0 done; 1 nothing is kept for the task; 2 usage error, or a mistake in
same.yaml.`,
		Example: `  $ same run --logs none test
  $ same log test`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeTasks(o),
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		w, err := load(o)
		if err != nil {
			return err
		}
		tasks, err := w.Select(args[0])
		if err != nil {
			return cli.UsageError{Err: err}
		}
		task := tasks[len(tasks)-1] // after its dependencies
		if task.Name != args[0] {
			return message.WithHint(cli.Usagef("%s stands for many tasks", args[0]), "name one task")
		}
		store, err := sharedStore(o, w.Root)
		if err != nil {
			return err
		}
		dir := dotsame.OpenShared(w.Root, store)
		info, err := dir.ReadBuildInfo(task.Name)
		switch {
		case err != nil:
			return err
		case info == nil || info.Foreign():
			return message.WithHint(fmt.Errorf("task %q has not succeeded here", task.Name), "same run %s", task.Name)
		case info.Log == nil && task.NoLog:
			return fmt.Errorf("task %q has log: false, so what it prints is not kept", task.Name)
		case info.Log == nil:
			return message.WithHint(fmt.Errorf("what task %q printed was not kept", task.Name), "same run --no-cache %s", task.Name)
		}
		return printLog(o, dir, info.Log)
	}
	return c
}

func printLog(o *cli.IO, dir *dotsame.Dir, log *dotsame.Log) error {
	if !cli.Terminal(o.Out) {
		return dir.CopyLog(o.Out, log)
	}
	to := engine.Shown(o.Out, o.Colour(o.Out))
	return errors.Join(dir.CopyLog(to, log), to.Close())
}
