package cli

import (
	"cachekey/internal/message"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// Run finds the command that args name and runs it.
func (p *Program) Run(ctx context.Context, o *IO, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "-h", "--help":
			fmt.Fprint(o.Out, p.overview())
			return nil
		case "--version":
			fmt.Fprintln(o.Out, p.Name, Version())
			return nil
		case completeWords:
			if c := p.command(strings.Join(args[1:], " ")); c != nil && c.Words != nil {
				fmt.Fprintln(o.Out, strings.Join(c.Words(), "\n"))
			}
			return nil
		}
	}
	c := p.command(p.Default)
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name := args[0]
		if c = p.command(name); c == nil {
			err := message.Usagef("unknown command %q", name)
			return p.meant(err, name)
		}
		args = args[1:]
	}
	if c == nil {
		if len(args) == 0 {
			return message.WithHint(message.Usagef("no command given"), "%s help lists the commands", p.Name)
		}
		return message.WithHint(message.Usagef("flag %s comes before a command", args[0]), "%s help lists the commands", p.Name)
	}
	fs, run := p.flags(c)
	version, quiet := commonFlags(fs)
	if err := fs.Parse(args); errors.Is(err, pflag.ErrHelp) {
		fmt.Fprint(o.Out, p.usage(c))
		return nil
	} else if err != nil {
		return p.flagError(c, fs, err)
	}
	if *version {
		fmt.Fprintln(o.Out, p.Name, Version())
		return nil
	}
	if err := checkValues(fs); err != nil {
		return err
	}
	if fs.NArg() > 0 && c.Args == "[flags]" {
		return message.WithHint(message.Usagef("unexpected argument %q", fs.Arg(0)), "%s %s --help lists the flags", p.Name, c.Name)
	}
	o.Quiet = *quiet
	return run(ctx, o, fs.Args())
}

// checkValues refuses a flag that was given nothing, as by a script whose
// variable is not set: taken for the default it would hide that.
func checkValues(fs *pflag.FlagSet) (err error) {
	fs.Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			err = message.WithHint(message.Usagef("--%s is empty", f.Name), "leave the flag out for its default")
		}
	})
	return err
}

// meant adds to err, about an unknown command, the one that was meant.
func (p *Program) meant(err error, name string) error {
	if name == "version" {
		return message.WithHint(err, "%s --version prints it", p.Name)
	}
	if p.Guess != nil {
		if args := p.Guess(name); args != "" {
			return message.WithHint(err, "did you mean: %s %s", p.Name, args)
		}
	}
	if near := message.Nearest(name, p.names()); near != "" {
		return message.WithHint(err, "did you mean %q?", near)
	}
	return message.WithHint(err, "%s help lists the commands", p.Name)
}

func (p *Program) flags(c *Command) (*pflag.FlagSet, func(context.Context, *IO, []string) error) {
	fs := pflag.NewFlagSet(c.Name, pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Usage = func() {} // Run prints it, on stdout
	return fs, c.Setup(fs)
}

// commonFlags defines the flags that every command has.
func commonFlags(fs *pflag.FlagSet) (version, quiet *bool) {
	return fs.Bool("version", false, "print the version"), fs.BoolP("quiet", "q", false, "print no warnings")
}

func (p *Program) command(name string) *Command {
	for _, c := range p.all() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (p *Program) names() []string {
	var names []string
	for _, c := range p.all() {
		names = append(names, c.Name)
	}
	return names
}

var unknownFlag = regexp.MustCompile(`^unknown (?:shorthand )?flag: (?:'.*' in )?--?([^=]*)`)

func (p *Program) flagError(c *Command, fs *pflag.FlagSet, err error) error {
	if m := unknownFlag.FindStringSubmatch(err.Error()); m != nil {
		var names []string
		fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := message.Nearest(m[1], names); near != "" {
			return message.WithHint(message.UsageError{Err: err}, "did you mean --%s?", near)
		}
	}
	return message.WithHint(message.UsageError{Err: err}, "%s %s --help lists the flags", p.Name, c.Name)
}
