package github

import (
	"errors"
	"io"
	"os"

	"cachekey/internal/cli"
)

// AppendSummary adds what write writes to the summary of the job: to the file that
// GITHUB_STEP_SUMMARY names, in Markdown.
func AppendSummary(getenv func(string) string, write func(io.Writer) error) error {
	file := getenv("GITHUB_STEP_SUMMARY")
	if file == "" {
		return cli.WithHint(errors.New("GITHUB_STEP_SUMMARY is not set"), "--github is for a step of a GitHub workflow, where the runner sets it")
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
