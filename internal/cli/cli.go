// Package cli adds to cobra what the commands cachekey and same both need: the
// flags that every command has, errors with hints, exit codes, completion of
// names from the checkout, and a status line on terminals.
//
// The rules for everything that prints:
//
//   - stdout is for machines, stderr for people;
//   - every line on stderr begins with the program's name, then "error:",
//     "warning:", "hint:" or nothing;
//   - errors begin in lower case and end without a full stop;
//   - exit codes: 0 for success, 1 for a failure or a difference, 2 for a wrong
//     command line or unreadable input: see docs/exit-codes.md.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cachekey/internal/message"
)

// ErrFailed sets exit code 1 for a command that has already printed its errors.
var ErrFailed = errors.New("failed")

// A UsageError sets exit code 2: the command line is wrong, or names a file that
// cannot be read.
type UsageError struct{ Err error }

// Error returns the text of the error inside.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the error inside.
func (e UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError with the given text.
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Unreadable wraps the error of reading a file that the command needs in a
// UsageError. It returns nil if err is nil.
func Unreadable(err error) error {
	if err == nil {
		return nil
	}
	return UsageError{err}
}

// Main runs a program and exits. The function program returns its root command, whose
// subcommands use the streams of o.
func Main(program func(o *IO) *cobra.Command) {
	o := &IO{In: os.Stdin, Err: os.Stderr, Getenv: os.Getenv}
	ctx, in := catchInterrupts(o.eraseStatus)
	o.Kill = in.kill
	out := &output{file: os.Stdout, closed: func() { in.interrupt(syscall.SIGPIPE) }}
	o.Out = out
	o.share(out, os.Stderr)
	err := Run(ctx, o, program(o), os.Args[1:])
	if s := in.last(); s != 0 {
		if s != syscall.SIGPIPE {
			o.info("interrupted")
		}
		in.end()
	}
	if lost := out.Err(); lost != nil && !errors.Is(err, lost) {
		err = message.Join(err, lost)
	}
	os.Exit(o.Exit(err))
}

// Exit prints err, if it is not nil, and returns its exit code.
func (o *IO) Exit(err error) int {
	if err == nil {
		return 0
	}
	var several message.Several
	if !errors.As(err, &several) {
		several = message.Several{err}
	}
	for _, err := range several {
		if errors.Is(err, ErrFailed) {
			continue
		}
		o.line("error", red, err.Error())
		if h := message.Hint(err); h != "" {
			o.line("hint", cyan, h)
		}
	}
	if errors.As(err, new(UsageError)) {
		return 2
	}
	return 1
}

// Run runs the command of root that args name.
func Run(ctx context.Context, o *IO, root *cobra.Command, args []string) error {
	Complete(o, root)
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// Complete adds to root what both programs share: the flags -C, -q and --version, the
// commands help and completion, and errors with hints.
func Complete(o *IO, root *cobra.Command) {
	o.Program = root.Name()
	root.SetIn(o.In)
	root.SetOut(o.Out)
	root.SetErr(o.Err)
	root.SilenceErrors, root.SilenceUsage, root.DisableAutoGenTag = true, true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)

	fs := root.PersistentFlags()
	fs.SortFlags = false
	fs.StringVarP(&o.Dir, "directory", "C", ".", "work as if started in `DIR`")
	fs.BoolVarP(&o.Quiet, "quiet", "q", false, "print no warnings")
	showVersion := fs.Bool("version", false, "print the version")

	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	help.Use, help.Short, help.Long = "help [COMMAND]", "show the help of a command", ""
	help.Args = func(_ *cobra.Command, args []string) error {
		if _, rest, _ := root.Find(args); len(rest) > 0 {
			return UnknownCommand(root, rest[0])
		}
		return nil
	}
	root.AddCommand(completionCommand(o, root))

	for _, c := range append(root.Commands(), root) {
		c.Flags().SortFlags = false
		if c.Args == nil {
			c.Args = noArguments
			if c.HasParent() {
				c.ValidArgsFunction = cobra.NoFileCompletions
			}
		}
		if run := c.RunE; run != nil {
			c.RunE = func(c *cobra.Command, args []string) error {
				if *showVersion {
					_, err := fmt.Fprintln(o.Out, o.Program, Version())
					return err
				}
				if err := checkValues(c.Flags()); err != nil {
					return err
				}
				return run(c, args)
			}
		}
	}
}

// noArguments returns an error if there are arguments. An argument of the root is an
// unknown command.
func noArguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasParent():
		return message.WithHint(Usagef("unexpected argument %q", args[0]), "%s --help lists the flags", c.CommandPath())
	}
	return UnknownCommand(c, args[0])
}

// UnknownCommand returns the error for a name that none of root's commands has.
func UnknownCommand(root *cobra.Command, name string) error {
	err := Usagef("unknown command %q", name)
	if name == "version" {
		return message.WithHint(err, "%s --version prints it", root.Name())
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	if near := message.Nearest(name, names); near != "" { // cobra's SuggestionsFor does not return the nearest one first
		return message.WithHint(err, "did you mean %q?", near)
	}
	return message.WithHint(err, "%s help lists the commands", root.Name())
}

// flagError adds a hint to an error that pflag returned for c.
func flagError(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); !c.HasParent() && len(args) > 0 {
		return c.ValidateArgs(args) // an unknown command: its flags are not the root's
	}
	unknown := new(pflag.NotExistError)
	if errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		for _, sub := range c.Commands() {
			if sub.Flags().Lookup(name) != nil {
				return message.WithHint(UsageError{err}, "write it after the command: %s --%s", sub.CommandPath(), name)
			}
		}
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := message.Nearest(name, names); near != "" {
			return message.WithHint(UsageError{err}, "did you mean --%s?", near)
		}
	}
	return message.WithHint(UsageError{err}, "%s --help lists the flags", c.CommandPath())
}

// checkValues returns an error if a string flag is empty, as with an unset variable
// in a script. Taking the default instead would hide the mistake.
func checkValues(fs *pflag.FlagSet) (err error) {
	fs.Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			err = message.WithHint(Usagef("--%s is empty", f.Name), "leave the flag out for its default")
		}
	})
	return err
}

// version is set at link time by builds that have no module version of their
// own, which are Nix's and a release's: -X cachekey/internal/cli.version=…
var version string

// Version returns the version of this program: the linked one, or the module's
// (go install), or the commit that it was built from, or "devel".
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value
		}
	}
	return "devel"
}
