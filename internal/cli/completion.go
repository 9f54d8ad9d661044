package cli

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"cachekey/internal/message"
)

func completionCommand(o *IO, root *cobra.Command) *cobra.Command {
	scripts := map[string]func(io.Writer) error{
		"bash":       func(w io.Writer) error { return BashCompletion(root, w) },
		"zsh":        func(w io.Writer) error { return ZshCompletion(root, w) },
		"fish":       func(w io.Writer) error { return FishCompletion(root, w) },
		"powershell": func(w io.Writer) error { return powerShellCompletion(root, w) },
	}
	return &cobra.Command{
		Use:   "completion [flags] bash|zsh|fish|powershell",
		Short: "print a completion script for a shell",
		Long: `Print a script that makes a shell complete commands, flags and names of tasks
when you press TAB. To do so, the shell runs this program with the words typed so
far. Nothing is completed after $, backquotes, redirections and other operators.`,
		Example: fmt.Sprintf(`  $ %[1]s completion bash          in ~/.bashrc: source <(%[1]s completion bash)
  $ %[1]s completion zsh           in ~/.zshrc, below compinit: source <(%[1]s completion zsh)
  $ %[1]s completion fish          in ~/.config/fish/config.fish: %[1]s completion fish | source
  $ %[1]s completion powershell    in $PROFILE: %[1]s completion powershell | Out-String | Invoke-Expression`, root.Name()),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || scripts[args[0]] == nil {
				return message.WithHint(Usagef("completion takes the name of a shell: bash, zsh, fish or powershell"),
					"in bash: source <(%s completion bash)", root.Name())
			}
			return scripts[args[0]](o.Out)
		},
	}
}

// Cobra's scripts evaluate the typed line, which would run $(command) in a directory's
// name and write to the file after a >. With this edit, the scripts for bash and zsh do
// not complete a line that has such characters.
const (
	beforeEval = "\n    # Use eval to handle any"
	safeEval   = "\n    [[ ${requestComp} != *[\\$\\`\\<\\>\\(\\)\\;\\&\\|]* ]] || return" + beforeEval
)

// BashCompletion writes cobra's script for bash, which evaluates no unsafe line. It
// needs a function of the package bash-completion, which macOS does not have: without
// it, ours splits the line at blanks.
func BashCompletion(root *cobra.Command, w io.Writer) error {
	generate := func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }
	if err := writeEdited(w, generate, beforeEval, safeEval); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
if ! declare -F _get_comp_words_by_ref >/dev/null; then
    __%[1]s_init_completion()
    {
        local typed=${COMP_LINE:0:COMP_POINT}
        IFS=$' \t\n' read -r -a words <<<"$typed"
        [[ $typed != *[[:space:]] ]] || words+=("")
        cword=$((${#words[@]} - 1))
        cur=${words[cword]} prev=${words[cword - 1]}
    }
fi
`, root.Name())
	return err
}

// ZshCompletion writes cobra's script for zsh, which evaluates no unsafe line.
func ZshCompletion(root *cobra.Command, w io.Writer) error {
	return writeEdited(w, root.GenZshCompletion, beforeEval, safeEval)
}

// powerShellCompletion writes cobra's script for PowerShell, which evaluates no unsafe
// line.
func powerShellCompletion(root *cobra.Command, w io.Writer) error {
	debug := "\n    __" + root.Name() + "_debug \"RequestComp:"
	return writeEdited(w, root.GenPowerShellCompletionWithDesc, debug, "\n    if ($RequestComp -match '[$`<>();&|]') { return }"+debug)
}

// FishCompletion writes cobra's script for fish, with one correction: cobra
// evaluates the words of the line after fish has removed their quotes, so that a
// directory called $(command) on the line would run the command.
func FishCompletion(root *cobra.Command, w io.Writer) error {
	generate := func(w io.Writer) error { return root.GenFishCompletion(w, true) }
	return writeEdited(w, generate, "set -l args (commandline -opc)", "set -l args (string escape -- (commandline -opc))")
}

// writeEdited writes the script that generate writes, with old replaced by new. It is
// an error unless the script has old exactly once.
func writeEdited(w io.Writer, generate func(io.Writer) error, old, new string) error {
	var script bytes.Buffer
	if err := generate(&script); err != nil {
		return err
	}
	if n := strings.Count(script.String(), old); n != 1 {
		return fmt.Errorf("cobra's completion script has changed: it has %q %d times", old, n)
	}
	_, err := io.WriteString(w, strings.Replace(script.String(), old, new, 1))
	return err
}

// safeName matches names that a shell takes literally. A shell inserts a completion
// into the command line, and cobra's scripts evaluate that line at the next TAB.
var safeName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+/:-]*$`)

// Names returns a completion function that offers the names that list returns, each
// optionally followed by a tab and a description. It leaves out names that a shell
// would not take literally, even if the caller has checked them.
func Names(list func() []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var offered []cobra.Completion
		for _, line := range list() {
			name, description, _ := strings.Cut(line, "\t")
			if safeName.MatchString(name) {
				offered = append(offered, cobra.CompletionWithDesc(name, oneLine(description)))
			}
		}
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// oneLine returns s without control characters.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}
