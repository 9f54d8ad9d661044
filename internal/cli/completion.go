package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// visible gives the flags that a person may type after the command.
func (p *Program) visible(c *Command) (flags []*pflag.Flag) {
	fs, _ := p.flags(c)
	commonFlags(fs)
	fs.VisitAll(func(f *pflag.Flag) { flags = append(flags, f) })
	return flags
}

// bash offers flags only for a word that begins as one: most commands take
// files, and -o default completes these.
func (p *Program) bash() string {
	var b strings.Builder
	fmt.Fprintf(&b, `_%[1]s() {
	local word command= words= flags=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		%[2]s) command=$word && break ;;
		esac
	done
	case $command in
`, p.Name, strings.Join(p.names(), " | "))
	for _, c := range p.all() {
		fmt.Fprintf(&b, "\t%s) words='%s' flags='%s' ;;\n", c.Name, strings.Join(p.choices(c), " "), strings.Join(p.long(c), " "))
	}
	var first []string
	if c := p.command(p.Default); c != nil {
		first = p.long(c)
	}
	fmt.Fprintf(&b, "\t*) words='%s' flags='%s' ;;\n\tesac\n", strings.Join(p.names(), " "), strings.Join(first, " "))
	fmt.Fprintf(&b, "\tcase ${COMP_WORDS[COMP_CWORD]} in -*) words=$flags ;; esac\n")
	fmt.Fprintf(&b, "\tCOMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _%[1]s %[1]s\n", p.Name)
	return b.String()
}

// choices gives the words that c takes, if it takes certain words only.
func (p *Program) choices(c *Command) []string {
	switch c.Name {
	case "help":
		return p.names()
	case "completion":
		return []string{"bash", "zsh", "fish"}
	}
	return nil
}

func (p *Program) long(c *Command) (words []string) {
	for _, f := range p.visible(c) {
		words = append(words, "--"+f.Name)
	}
	return words
}

func (p *Program) zsh() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %[1]s\n_%[1]s() {\n\tlocal -a commands=(\n", p.Name)
	for _, c := range p.all() {
		fmt.Fprintf(&b, "\t\t%s\n", shellQuote(c.Name+":"+c.Short))
	}
	fmt.Fprintf(&b, "\t)\n"+
		"\tif ((CURRENT == 2)) && [[ $words[2] != -* ]]; then\n\t\t_describe command commands\n\t\treturn\n\tfi\n"+
		"\tlocal command=$words[2]\n\t[[ $command == -* ]] && command='%s' || { shift words; ((CURRENT--)); }\n\tcase $command in\n", p.Default)
	for _, c := range p.Commands {
		fmt.Fprintf(&b, "\t%s)\n\t\t_arguments", c.Name)
		for _, f := range p.visible(c) {
			argument, text := pflag.UnquoteUsage(f)
			text = strings.NewReplacer("[", "(", "]", ")", ":", "\\:").Replace(text)
			spec := fmt.Sprintf("--%s[%s]", f.Name, text)
			if f.NoOptDefVal == "" {
				spec = fmt.Sprintf("*--%s=[%s]:%s:_files", f.Name, text, argument)
			}
			fmt.Fprintf(&b, " \\\n\t\t\t%s", shellQuote(spec))
		}
		fmt.Fprintf(&b, " \\\n\t\t\t'*:file:_files'\n\t\t;;\n")
	}
	fmt.Fprintf(&b, "\thelp) _describe command commands ;;\n\tcompletion) _values shell bash zsh fish ;;\n\tesac\n}\n"+
		// Found in fpath, this file is the function's body at its first call; sourced, it only defines.
		"if [[ $funcstack[1] == _%[1]s ]]; then\n\t_%[1]s \"$@\"\nelse\n\tcompdef _%[1]s %[1]s\nfi\n", p.Name)
	return b.String()
}

func (p *Program) fish() string {
	var b strings.Builder
	for _, c := range p.all() {
		fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -a %s -d %s\n", p.Name, c.Name, shellQuote(c.Short))
	}
	for _, c := range p.Commands {
		when := "__fish_seen_subcommand_from " + c.Name
		if c.Name == p.Default {
			others := slices.DeleteFunc(p.names(), func(name string) bool { return name == c.Name })
			when = "not __fish_seen_subcommand_from " + strings.Join(others, " ")
		}
		for _, f := range p.visible(c) {
			_, text := pflag.UnquoteUsage(f)
			fmt.Fprintf(&b, "complete -c %s -n '%s' -l %s", p.Name, when, f.Name)
			if f.Shorthand != "" {
				fmt.Fprintf(&b, " -s %s", f.Shorthand)
			}
			if f.NoOptDefVal == "" {
				fmt.Fprint(&b, " -r")
			}
			fmt.Fprintf(&b, " -d %s\n", shellQuote(text))
		}
	}
	for _, c := range p.all() {
		if words := p.choices(c); words != nil {
			fmt.Fprintf(&b, "complete -c %s -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", p.Name, c.Name, strings.Join(words, " "))
		}
	}
	return b.String()
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
