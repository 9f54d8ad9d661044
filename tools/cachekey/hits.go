package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cachekey/internal/cli"
	"cachekey/internal/dotsame"
	"cachekey/internal/hits"
	"cachekey/internal/key"
	"cachekey/internal/manifest"
	"cachekey/internal/message"
	"cachekey/internal/seal"
)

func hitsCommand(o *cli.IO) *cobra.Command {
	c := &cobra.Command{
		Use:   "hits [flags] LOG…",
		Args:  cobra.ArbitraryArgs,
		Short: "after a build: report and check which tasks were skipped",
		Long: `Read logs of same run --ci ("-" is standard input) and print which tasks were
skipped, which ran and which failed. Logs of upstream same and logs downloaded from
GitHub work too. A task that ran in one log and was skipped in another counts as
run. A log without a line about any task is an error. So is a truncated log: each
run in it must end with its line of counts, and the counts must be right.

--plan reads what same plan --json printed before the run: every task with the state
cached must have been skipped, and no task with the state run. A planned task that
is not in the log is an error, unless another task failed.

--github appends the table to the job summary, with the time that was saved and, if
the restored cache has another key, what has changed since it was saved. It also
sets the outputs skipped, ran and failed: the numbers of such tasks.

The exit code is 1 if --require or --plan is not met. A task that was planned as cached
and ran only because its result could not be restored is a warning for --plan.`,
		Example: `  $ same run --ci all | tee same.log; cachekey hits same.log
  $ cachekey hits --require all same.log
  $ same plan --json all > plan.json; same run --ci all | cachekey hits --plan plan.json -`,
	}
	fs := c.Flags()
	options := keyFlags(fs, o)
	keyFile := keyFileFlag(fs)
	require := fs.String("require", "", "fail unless `WHICH` were skipped: all, none, a percentage (80%) or tasks (build,test)")
	plan := fs.String("plan", "", "fail unless tasks ran and were skipped as planned in `FILE`, written by same plan --json")
	asJSON := fs.Bool("json", false, "print the result as JSON")
	forGitHub := fs.Bool("github", false, "append to the job summary, the file $GITHUB_STEP_SUMMARY, and to $GITHUB_OUTPUT")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return message.WithHint(cli.Usagef("no log is given"), "same run --ci all | cachekey hits -")
		}
		opts, err := options()
		if err != nil {
			return err
		}
		var required *hits.Requirement
		if fs.Changed("require") {
			if required, err = hits.ParseRequirement(*require); err != nil {
				return cli.UsageError{Err: err}
			}
		}
		var planned *hits.Plan
		if *plan != "" {
			if planned, err = readPlan(o, *plan); err != nil {
				return cli.Unreadable(err)
			}
		}
		log, err := readLogs(o, args)
		if err != nil {
			return cli.Unreadable(err)
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
		const most = 500 // what nobody reads need not be printed
		if required != nil {
			r.Wrong = append(r.Wrong, required.Check(log)...)
		}
		if planned != nil {
			wrong, warnings := planned.Check(log)
			r.Wrong = append(r.Wrong, wrong...)
			for _, w := range warnings[:min(most, len(warnings))] {
				o.Warnf("%s", w)
			}
		}
		if *forGitHub {
			if noRoot == nil {
				r.Restored, r.Now = restored(c.Context(), o, root, *keyFile, opts)
			}
			if err := appendSummary(o.Getenv, r.WriteMarkdown); err != nil {
				return err
			}
			if err := outputCounts(o, log); err != nil {
				return err
			}
		}
		if *asJSON {
			err = o.PrintJSON(r.JSON())
		} else {
			err = log.WriteTable(o.Out)
		}
		failures := []error{err}
		for _, w := range r.Wrong[:min(most, len(r.Wrong))] {
			failures = append(failures, errors.New(w))
		}
		if more := len(r.Wrong) - most; more > 0 {
			failures = append(failures, fmt.Errorf("and %d more", more))
		}
		return message.Join(failures...)
	}
	return c
}

func readLogs(o *cli.IO, args []string) (*hits.Log, error) {
	r := hits.NewReader()
	for _, arg := range args {
		in, err := o.Open(arg)
		if err != nil {
			return nil, err
		}
		before := r.Lines()
		err = r.Read(in)
		in.Close()
		if err != nil {
			return nil, fmt.Errorf("log %q: %w", arg, err)
		}
		if r.Lines() == before {
			return nil, message.WithHint(fmt.Errorf("log %q has no line about any task", arg),
				"a log is what same run --ci prints: \"[task] Starting...\"")
		}
	}
	return r.Log(), nil
}

func readPlan(o *cli.IO, arg string) (*hits.Plan, error) {
	f, err := o.Open(arg)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := hits.ParsePlan(f)
	if err != nil && arg != "-" {
		err = message.WithHint(fmt.Errorf("%s: %w", o.Path(arg), err), "same plan --json writes one")
	}
	return p, err
}

// restored returns the verdict about the restored cache, and the current key. After a
// build, an unknown key is a warning, not an error.
func restored(ctx context.Context, o *cli.IO, root, keyFile string, opts key.Options) (*seal.Verdict, *key.Document) {
	v, err := seal.Restored(root)
	if err != nil {
		o.Warnf("the summary cannot say what verify found: %v", err)
	}
	now, err := documentOf(ctx, o, keyFile, opts)
	if err != nil {
		o.Warnf("the summary cannot say what changed: %v", err)
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
		output{Name: "failed", Value: number(hits.Failed, hits.Interrupted, hits.Unfinished)},
	)
}

// An output is an output of a workflow step. Its value may have several lines.
type output struct{ Name, Value string }

// appendOutputs appends outputs to the file that GITHUB_OUTPUT names. Random
// delimiters surround each value, so that a value cannot add another output:
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions#multiline-strings
func appendOutputs(getenv func(string) string, outputs ...output) error {
	file := getenv("GITHUB_OUTPUT")
	if file == "" {
		return message.WithHint(errors.New("GITHUB_OUTPUT is not set"), "--github is for a step of a GitHub workflow, where the runner sets it")
	}
	var b strings.Builder
	for _, o := range outputs {
		delimiter := "ghadelimiter_" + rand.Text()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.Name, delimiter, o.Value, delimiter)
	}
	return appendTo(file, func(w io.Writer) error {
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// appendTo appends the output of write to a file. It begins a new line first: a step
// may have left an unfinished one.
func appendTo(file string, write func(io.Writer) error) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if !endsLine(file) {
		_, err = f.WriteString("\n")
	}
	if err == nil {
		err = write(f)
	}
	return errors.Join(err, f.Close())
}

// endsLine reports whether the file is empty, ends in a newline or cannot be read.
func endsLine(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return true
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return true
	}
	last := []byte{'\n'}
	_, _ = f.ReadAt(last, info.Size()-1)
	return last[0] == '\n'
}

// appendSummary appends the output of write, in Markdown, to the job summary: the
// file that GITHUB_STEP_SUMMARY names.
func appendSummary(getenv func(string) string, write func(io.Writer) error) error {
	file := getenv("GITHUB_STEP_SUMMARY")
	if file == "" {
		return message.WithHint(errors.New("GITHUB_STEP_SUMMARY is not set"), "--github is for a step of a GitHub workflow, where the runner sets it")
	}
	return appendTo(file, write)
}
