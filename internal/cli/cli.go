// Package cli is what the commands cachekey and same have in common at the
// command line: a table of subcommands, their flags and help, and the way an
// error becomes words and an exit code.
//
// The rules, for everything that prints:
//
//   - stdout is for machines, stderr for people;
//   - every line on stderr begins with the program's name, then "error:",
//     "warning:", "hint:" or nothing;
//   - errors begin in lower case and end without a full stop;
//   - exit codes: 0 done, 1 failed (or: differs), 2 misused.
package cli

import (
	"cachekey/internal/message"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// A Program is a command with subcommands.
type Program struct {
	Name    string
	Short   string // one line, lower case, no full stop
	Long    string // paragraphs below the list of commands: what a newcomer must know
	Default string // the command that runs when the first argument names none; "" for none

	// Guess, if there is one, gives the arguments that somebody meant who
	// typed word for a command, or "".
	Guess func(word string) string

	Commands []*Command
}

// A Command is one subcommand.
type Command struct {
	Name  string
	Args  string // the synopsis after the name: "[flags] OLD [NEW]"; with "[flags]" alone an argument is refused
	Short string // one line for the table, lower case, no full stop
	Long  string // paragraphs and examples below the flags

	// Words gives what an argument can be, for completion; nil if that is files.
	Words func() []string

	// Setup defines the flags and gives the function that runs the command
	// with the arguments that are left. Flags are locals of Setup.
	Setup func(*pflag.FlagSet) func(context.Context, *IO, []string) error
}

// IO is what a command has of the world.
type IO struct {
	Program string // its name, which begins every line on Err
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Getenv  func(string) string
	Quiet   bool // drops all but errors
}

// Warnf tells people of something that does not stop the work.
func (o *IO) Warnf(format string, args ...any) {
	if !o.Quiet {
		o.line("warning", yellow, fmt.Sprintf(format, args...))
	}
}

// Sayf tells people what was done.
func (o *IO) Sayf(format string, args ...any) {
	if !o.Quiet {
		fmt.Fprintf(o.Err, "%s: %s\n", o.Program, message.OneLine(fmt.Sprintf(format, args...)))
	}
}

func (o *IO) line(kind, colour, text string) {
	head := kind + ":"
	if o.Colour(o.Err) {
		head = colour + head + reset
	}
	// One message is one line: a name with a newline in it forges none.
	fmt.Fprintf(o.Err, "%s: %s %s\n", o.Program, head, message.OneLine(text))
}

// ErrFailed is exit code 1 for a command that has already said all there is to say.
var ErrFailed = errors.New("failed")

// Main runs p as this process's program and exits.
func Main(p *Program) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	o := &IO{Program: p.Name, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}
	o.share(os.Stdout, os.Stderr)
	code := p.Exit(o, p.Run(ctx, o, os.Args[1:]))
	stop()
	os.Exit(code)
}

// Exit prints err, if there is one, and gives the exit code that it means.
func (p *Program) Exit(o *IO, err error) int {
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
	if errors.As(err, new(message.UsageError)) {
		return 2
	}
	return 1
}
