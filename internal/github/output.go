// Package github speaks to a GitHub Actions runner through the files that it
// names in the environment.
package github

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"cachekey/internal/cli"
)

// An Output is one output of a step. Its value may have several lines.
type Output struct{ Name, Value string }

// AppendOutputs adds outputs to the file that GITHUB_OUTPUT names. Each value
// stands between delimiters that nobody can guess, so that no value can add an
// output of its own:
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions#multiline-strings
func AppendOutputs(getenv func(string) string, outputs ...Output) error {
	file := getenv("GITHUB_OUTPUT")
	if file == "" {
		return cli.WithHint(errors.New("GITHUB_OUTPUT is not set"), "--github is for a step of a GitHub workflow, where the runner sets it")
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
