package cli

import (
	"cachekey/internal/message"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/pflag"
)

// all gives the commands of p and those that every program has.
func (p *Program) all() []*Command {
	return append(slices.Clip(p.Commands), p.helpCommand(), p.completionCommand())
}

func (p *Program) helpCommand() *Command {
	return &Command{
		Name:  "help",
		Args:  "[flags] [COMMAND]",
		Short: "say more about a command",
		Long:  "Without a command it lists them.",
		Words: p.names,
		Setup: func(fs *pflag.FlagSet) func(context.Context, *IO, []string) error {
			markdown := fs.Bool("markdown", false, "print all of it as a page of docs/")
			return func(_ context.Context, o *IO, args []string) error {
				if *markdown {
					fmt.Fprint(o.Out, p.reference())
					return nil
				}
				if len(args) == 0 {
					fmt.Fprint(o.Out, p.overview())
					return nil
				}
				c := p.command(args[0])
				if c == nil {
					return p.meant(message.Usagef("unknown command %q", args[0]), args[0])
				}
				fmt.Fprint(o.Out, p.usage(c))
				return nil
			}
		},
	}
}

func (p *Program) completionCommand() *Command {
	return &Command{
		Name:  "completion",
		Args:  "[flags] bash|zsh|fish",
		Short: "print a completion script for bash, zsh or fish",
		Long: fmt.Sprintf(`Examples:
  $ %[1]s completion bash     in ~/.bashrc: source <(%[1]s completion bash)
  $ %[1]s completion zsh      in ~/.zshrc, below compinit: source <(%[1]s completion zsh)
  $ %[1]s completion fish     in ~/.config/fish/config.fish: %[1]s completion fish | source`, p.Name),
		Words: func() []string { return []string{"bash", "zsh", "fish"} },
		Setup: func(*pflag.FlagSet) func(context.Context, *IO, []string) error {
			return func(_ context.Context, o *IO, args []string) error {
				scripts := map[string]func() string{"bash": p.bash, "zsh": p.zsh, "fish": p.fish}
				if len(args) != 1 || scripts[args[0]] == nil {
					return message.WithHint(message.Usagef("completion takes the name of a shell: bash, zsh or fish"),
						"in bash: source <(%s completion bash)", p.Name)
				}
				fmt.Fprint(o.Out, scripts[args[0]]())
				return nil
			}
		},
	}
}
