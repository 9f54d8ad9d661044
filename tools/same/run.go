package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/engine"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
)

func runCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "run [flags] TASK…|all",
		Short: "run tasks, and skip those whose inputs have not changed",
		Long: `Run tasks and the tasks that they depend on. A task is skipped, and its outputs are
restored, if it has succeeded before with the same inputs: the files that its
patterns match, its command, its environment, its tools, and its dependencies.
A skipped task prints this line, and what it printed when it ran:

    [task] Skipped (Cached)

--logs new prints nothing more for a skipped task, failed prints the output of a task
only if it fails, and none prints no output. SAME_LOGS sets the default.

Tools are resolved by the workspace's flake.lock (nixpkgs#go, .#lint) or by Nixhub
(go@1.25.4), and then built or fetched by Nix. SAME_NIXHUB is the address of a
mirror of Nixhub. On GitHub Actions the output of each task is folded, and a
failure is an annotation.

SAME_STORE is a directory for results that several workspaces share. Without it, a
linked worktree of git shares those of the main worktree, if that has any; with
SAME_STORE= it does not.

Exit codes: 0 every task succeeded or was skipped; 1 a task failed; 2 usage error,
or a mistake in same.yaml.`,
		Example: `  $ same run build            run build and its dependencies
  $ same run --ci all         run every task, and print plain lines
  $ same run -n test          run test and its dependencies, skipping none
  $ same run --pass-env SSH_AUTH_SOCK deploy`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeTasks(o),
	}
	fs := c.Flags()
	ci := fs.Bool("ci", false, "print plain lines without colours, even on a terminal")
	noCache := fs.BoolP("no-cache", "n", false, "run every task, skipping none")
	jobs := fs.IntP("jobs", "j", 0, "run `N` tasks at the same time (default: one per core)")
	keepGoing := fs.Bool("keep-going", false, "after a failure, run the tasks that do not depend on it")
	passEnv := fs.StringArray("pass-env", nil, "let tasks see the variable `NAME`; its value is not one of their inputs (repeatable)")
	logs := fs.String("logs", "", "print the output of tasks: `WHICH` is full, new, failed or none (default: full for the\ntasks that are named, new for the others)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if fs.Changed("jobs") && *jobs < 1 {
			return cli.Usagef("--jobs %d: at least one task must run", *jobs)
		}
		shown, err := logsOf(*logs, o.Getenv("SAME_LOGS"), args)
		if err != nil {
			return err
		}
		config, tasks, err := open(c.Context(), o, args)
		if err != nil {
			return err
		}
		config.Kill = o.Kill
		config.NoCache, config.Jobs, config.KeepGoing, config.PassEnv = *noCache, *jobs, *keepGoing, *passEnv
		config.Report = &engine.Lines{
			To:       o.Out,
			GitHub:   o.Getenv("GITHUB_ACTIONS") == "true",
			Terminal: cli.Terminal(o.Out),
			Colour:   !*ci && o.Colour(o.Out),
			Logs:     shown,
		}
		if !*ci && cli.Terminal(o.Out) {
			live := &live{Reporter: config.Report, tasks: len(tasks)}
			defer o.Status(live.status)()
			config.Report = live
		}
		_, err = config.Run(c.Context(), tasks)
		if errors.Is(err, engine.ErrTasksFailed) {
			return cli.ErrFailed
		}
		return err
	}
	return c
}

// logsOf returns what is printed of each task's output, by the flag --logs or else by the
// variable SAME_LOGS. Without either it is all for the tasks that are named.
func logsOf(flag, variable string, named []string) (func(task string) engine.Logs, error) {
	from, value := "--logs", engine.Logs(flag)
	if flag == "" {
		from, value = "SAME_LOGS", engine.Logs(variable)
	}
	switch value {
	case engine.FullLogs, engine.NewLogs, engine.FailedLogs, engine.NoLogs:
		return func(string) engine.Logs { return value }, nil
	case "":
		return func(task string) engine.Logs {
			if slices.Contains(named, manifest.All) || slices.Contains(named, task) {
				return engine.FullLogs
			}
			return engine.NewLogs
		}, nil
	}
	return nil, message.WithHint(cli.Usagef("%s is %q", from, string(value)), "use full, new, failed or none")
}

// A live updates the status line below a run on a terminal: how many tasks are done,
// and which are running, for how long.
type live struct {
	engine.Reporter // of the lines
	tasks           int

	mu      sync.Mutex
	done    int
	running []runningTask // in the order in which they started
}

type runningTask struct {
	name  string
	since time.Time
}

func (l *live) Started(task string) engine.Output {
	l.mu.Lock()
	l.running = append(l.running, runningTask{task, time.Now()})
	l.mu.Unlock()
	return l.Reporter.Started(task)
}

func (l *live) Completed(task string, took time.Duration) {
	l.end(task)
	l.Reporter.Completed(task, took)
}

func (l *live) Failed(task string, took time.Duration, err error) {
	l.end(task)
	l.Reporter.Failed(task, took, err)
}

func (l *live) Interrupted(task string, took time.Duration) {
	l.end(task)
	l.Reporter.Interrupted(task, took)
}

func (l *live) Cached(task string, log func(io.Writer) error) {
	l.end(task)
	l.Reporter.Cached(task, log)
}

func (l *live) end(task string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	l.running = slices.DeleteFunc(l.running, func(r runningTask) bool { return r.name == task })
}

// status returns "2 of 12 tasks done; running: build 14s, test 3s".
func (l *live) status(time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%d of %d tasks done", l.done, l.tasks)
	if len(l.running) == 0 {
		return text
	}
	names := make([]string, len(l.running))
	for i, r := range l.running {
		names[i] = r.name + " " + message.Elapsed(time.Since(r.since))
	}
	return text + "; running: " + strings.Join(names, ", ")
}
