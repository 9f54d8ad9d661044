package main

import (
	"cachekey/internal/message"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// An output is one output of a step. Its value may have several lines.
type output struct{ Name, Value string }

// appendOutputs adds outputs to the file that GITHUB_OUTPUT names. Each value
// stands between delimiters that nobody can guess, so that no value can add an
// output of its own:
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
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(b.String())
	return errors.Join(err, f.Close())
}

// appendSummary adds what write writes to the summary of the job: to the file that
// GITHUB_STEP_SUMMARY names, in Markdown.
func appendSummary(getenv func(string) string, write func(io.Writer) error) error {
	file := getenv("GITHUB_STEP_SUMMARY")
	if file == "" {
		return message.WithHint(errors.New("GITHUB_STEP_SUMMARY is not set"), "--github is for a step of a GitHub workflow, where the runner sets it")
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
