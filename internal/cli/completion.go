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

// completeWords is what a completion script calls the program with to hear a
// command's Words: they can change from directory to directory.
const completeWords = "__complete"

// words is the shell command that prints the Words of command.
func (p *Program) words(command string) string {
	return p.Name + " " + completeWords + " " + command + " 2>/dev/null"
}

// bash offers flags only for a word that begins as one: most commands take
// files, and -o default completes these. A colon begins a new word for readline,
// which then replaces only what follows it.
func (p *Program) bash() string {
	var b strings.Builder
	fmt.Fprintf(&b, `_%[1]s() {
	local word command= words= flags= typed
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		%[2]s) command=$word && break ;;
		esac
	done
	typed=${COMP_LINE:0:COMP_POINT}
	typed=${typed##*[[:space:]]}
	case $command in
`, p.Name, strings.Join(p.names(), " | "))
	for _, c := range p.all() {
		words := ""
		if c.Words != nil {
			words = " words=$(" + p.words(c.Name) + ")"
		}
		fmt.Fprintf(&b, "\t%s) flags='%s'%s ;;\n", c.Name, strings.Join(p.long(c), " "), words)
	}
	var first []string
	if c := p.command(p.Default); c != nil {
		first = p.long(c)
	}
	fmt.Fprintf(&b, "\t*) flags='%s' words='%s' ;;\n\tesac\n", strings.Join(first, " "), strings.Join(p.names(), " "))
	fmt.Fprintf(&b, `	case $typed in -*) words=$flags ;; esac
	COMPREPLY=($(compgen -W "$words" -- "$typed"))
	case $typed in
	*:*) [[ $COMP_WORDBREAKS != *:* ]] || COMPREPLY=("${COMPREPLY[@]#"${typed%%:*}:"}") ;;
	esac
}
complete -o default -F _%[1]s %[1]s
`, p.Name)
	return b.String()
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
	for _, c := range p.all() {
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
		rest := "*:file:_files"
		if c.Words != nil {
			rest = fmt.Sprintf("*:word:_%s_words %s", p.Name, c.Name)
		}
		fmt.Fprintf(&b, " \\\n\t\t\t%s\n\t\t;;\n", shellQuote(rest))
	}
	fmt.Fprintf(&b, "\tesac\n}\n"+
		"_%[1]s_words() { compadd -- ${(f)\"$(%[2]s)\"}; }\n"+
		// Found in fpath, this file is the function's body at its first call; sourced, it only defines.
		"if [[ $funcstack[1] == _%[1]s ]]; then\n\t_%[1]s \"$@\"\nelse\n\tcompdef _%[1]s %[1]s\nfi\n", p.Name, p.words("$argv[-1]"))
	return b.String()
}

func (p *Program) fish() string {
	var b strings.Builder
	for _, c := range p.all() {
		fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -a %s -d %s\n", p.Name, c.Name, shellQuote(c.Short))
	}
	for _, c := range p.all() {
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
		if c.Words != nil {
			fmt.Fprintf(&b, "complete -c %s -n '%s' -f -a '(%s)'\n", p.Name, when, p.words(c.Name))
		}
	}
	return b.String()
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
