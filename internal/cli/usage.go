package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// overview is what `help` prints.
func (p *Program) overview() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\nUsage:\n  %s COMMAND [flags]\n\nCommands:\n", p.Name, p.Short, p.Name)
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, c := range p.all() {
		fmt.Fprintf(w, "  %s\t%s\n", c.Name, c.Short)
	}
	w.Flush()
	b.WriteByte('\n')
	if p.Default != "" {
		fmt.Fprintf(&b, "Without a command it is %q.\n", p.Default)
	}
	fmt.Fprintf(&b, "%q says more; --version prints the version.\n", p.Name+" help COMMAND")
	if p.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(p.Long))
	}
	return b.String()
}

// usage is what COMMAND --help prints.
func (p *Program) usage(c *Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n\nUsage:\n  %s\n\nFlags:\n", p.Name, c.Name, c.Short,
		strings.TrimSpace(p.Name+" "+c.Name+" "+c.Args))
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, f := range p.visible(c) {
		fmt.Fprintf(w, "  %s\t%s\n", flagName(f), flagText(f))
	}
	fmt.Fprintf(w, "  -h, --help\tprint this\n")
	w.Flush()
	if c.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(c.Long))
	}
	return b.String()
}

func flagName(f *pflag.Flag) string {
	short := "    "
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}
	placeholder, _ := pflag.UnquoteUsage(f)
	if f.NoOptDefVal != "" {
		placeholder = ""
	}
	return strings.TrimRight(short+"--"+f.Name+" "+placeholder, " ")
}

func flagText(f *pflag.Flag) string {
	_, text := pflag.UnquoteUsage(f)
	switch f.DefValue {
	case "", "false", "[]", "0", "0 B":
		return text
	}
	return fmt.Sprintf("%s (default %s)", text, f.DefValue)
}

// reference is `help --markdown`: the page of docs/ about the program.
func (p *Program) reference() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nWritten by `%s help --markdown`; `go generate ./...` writes it anew.\n\n```text\n%s```\n", p.Name, p.Name, p.overview())
	for _, c := range p.all() {
		fmt.Fprintf(&b, "\n## %s %s\n\n```text\n%s```\n", p.Name, c.Name, p.usage(c))
	}
	return b.String()
}
