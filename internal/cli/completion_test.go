package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// What bash offers for a command line that is not finished.
func TestBashCompletion(t *testing.T) {
	p := &Program{Name: "prog", Default: "first", Commands: []*Command{
		{Name: "first", Setup: func(fs *pflag.FlagSet) func(context.Context, *IO, []string) error {
			fs.Bool("one", false, "")
			return nil
		}},
		{Name: "second", Setup: func(fs *pflag.FlagSet) func(context.Context, *IO, []string) error {
			fs.Bool("two", false, "")
			return nil
		}},
	}}
	file := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(file, []byte(p.bash()), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{"prog |", "first second help completion"},
		{"prog s|", "second"},
		{"prog --|", "--one --version --quiet"},
		{"prog second -|", "--two --version --quiet"},
		{"prog second |", ""}, // then bash offers files
		{"prog second x|", ""},
		{"prog help se|", "second"},
		{"prog completion |", "bash zsh fish"},
	} {
		words := strings.Split(strings.TrimSuffix(c.line, "|"), " ")
		script := `. "$1" && shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _prog; echo "${COMPREPLY[*]-}"`
		cmd := exec.Command("bash", append([]string{"-c", script, "bash", file}, words...)...)
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s gives %q, want %q (%v)", c.line, got, c.want, err)
		}
	}
}
