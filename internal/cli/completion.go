package cli

import (
	"bytes"
	"errors"
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
when you press TAB. To do so the shell runs this program with the words typed so
far. Nothing is completed behind $, backquotes, redirections and other operators.`,
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
// name and write to the file behind a >. A line with such characters is not completed.
const unsafeInShell = `[\$\` + "`" + `\<\>\(\)\;\&\|]`

// BashCompletion writes cobra's script for bash, which evaluates no unsafe line. It
// needs a function of the package bash-completion, which macOS does not have: without
// it, ours splits the line at blanks.
func BashCompletion(root *cobra.Command, w io.Writer) error {
	generate := func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }
	err := insert(w, generate, "    # Use eval to handle any", "    [[ ${requestComp} != *"+unsafeInShell+"* ]] || return\n")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `
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
	return insert(w, root.GenZshCompletion, "    # Use eval to handle any", "    [[ ${requestComp} != *"+unsafeInShell+"* ]] || return\n")
}

// powerShellCompletion writes cobra's script for PowerShell, which evaluates no unsafe
// line.
func powerShellCompletion(root *cobra.Command, w io.Writer) error {
	return insert(w, root.GenPowerShellCompletionWithDesc, "    __"+root.Name()+"_debug \"RequestComp:", "    if ($RequestComp -match '[$`<>();&|]') { return }\n")
}

// insert writes the script that generate writes, with text before its only line that
// begins with at.
func insert(w io.Writer, generate func(io.Writer) error, at, text string) error {
	var script bytes.Buffer
	if err := generate(&script); err != nil {
		return err
	}
	before, after, found := strings.Cut(script.String(), "\n"+at)
	if !found || strings.Contains(after, "\n"+at) {
		return fmt.Errorf("cobra's completion script has changed: it does not have one line that begins with %q", at)
	}
	_, err := io.WriteString(w, before+"\n"+text+at+after)
	return err
}

// FishCompletion writes cobra's script for fish, with one correction: cobra
// evaluates the words of the line after fish has removed their quotes, so that a
// directory called $(command) on the line would run the command.
func FishCompletion(root *cobra.Command, w io.Writer) error {
	const words, quoted = "set -l args (commandline -opc)", "set -l args (string escape -- (commandline -opc))"
	var script bytes.Buffer
	if err := root.GenFishCompletion(&script, true); err != nil {
		return err
	}
	if strings.Count(script.String(), words) != 1 {
		return errors.New("cobra's script for fish has changed: see FishCompletion")
	}
	_, err := io.WriteString(w, strings.Replace(script.String(), words, quoted, 1))
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
