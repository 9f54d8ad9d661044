package engine

import (
	"path"
	"strings"
)

// An envCommand is what the arguments of env say about the program that it starts.
type envCommand struct {
	command []string
	dir     string // that env changes to, or ""
	path    string // where env searches, if hasPath
	hasPath bool
}

const (
	// defaultPath is where env searches if its arguments remove PATH.
	defaultPath = "/bin:/usr/bin"
	// envVariable stands for the $ of a variable that env -S replaces.
	envVariable = "\x00"
)

func isEnv(name string) bool { return path.Base(name) == "env" }

// parseEnv parses the arguments of env as GNU's and BSD's do.
func parseEnv(args []string) (c envCommand) {
	next := func() (arg string) {
		if len(args) > 0 {
			arg, args = args[0], args[1:]
		}
		return arg
	}
	apply := func(option byte, value string) {
		switch {
		case option == 'i', option == 'u' && value == "PATH":
			c.path, c.hasPath = defaultPath, true
		case option == 'P':
			c.path, c.hasPath = value, true
		case option == 'C':
			c.dir = value
		case option == 'S':
			args = append(splitEnv(value), args...)
		}
	}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		arg := next()
		if arg == "--" {
			break
		}
		if long, is := strings.CutPrefix(arg, "--"); is {
			name, value, hasValue := strings.Cut(long, "=")
			option := longEnvOption(name)
			if !hasValue && takesValue(option) {
				value = next()
			}
			apply(option, value)
			continue
		}
		for i := 1; i < len(arg); i++ {
			if !takesValue(arg[i]) {
				apply(arg[i], "")
				continue
			}
			value := arg[i+1:]
			if value == "" {
				value = next()
			}
			apply(arg[i], value)
			break
		}
	}
	if len(args) > 0 && args[0] == "-" {
		apply('i', next())
	}
	for len(args) > 0 {
		name, value, assigns := strings.Cut(args[0], "=")
		if !assigns {
			break
		}
		if name == "PATH" {
			c.path, c.hasPath = value, true
		}
		next()
	}
	c.command = args
	return c
}

func takesValue(option byte) bool { return strings.IndexByte("uCSPaLU", option) >= 0 }

// longEnvOption returns the letter of a long option, which may be abbreviated, or 0.
func longEnvOption(name string) byte {
	for prefix, option := range map[string]byte{"u": 'u', "c": 'C', "s": 'S', "a": 'a', "ignore-e": 'i'} {
		if strings.HasPrefix(name, prefix) {
			return option
		}
	}
	return 0
}

// splitEnv splits the value of -S into arguments.
func splitEnv(text string) (args []string) {
	var word strings.Builder
	inWord, quote := false, byte(0)
	end := func() {
		if inWord {
			args = append(args, word.String())
		}
		word.Reset()
		inWord = false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			c = text[i]
			switch {
			case quote == '\'' && c != '\'' && c != '\\':
				word.WriteByte('\\')
			case c == 'c':
				end()
				return args
			case c == '_' && quote == 0:
				end()
				continue
			case c == '_':
				c = ' '
			default:
				if at := strings.IndexByte("fnrtv", c); at >= 0 {
					c = "\f\n\r\t\v"[at]
				}
			}
		case quote != 0 && c == quote:
			quote = 0
			continue
		case quote == 0 && (c == '\'' || c == '"'):
			inWord, quote = true, c
			continue
		case quote == 0 && strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			end()
			continue
		case quote == 0 && c == '#' && !inWord:
			return args
		case quote != '\'' && strings.HasPrefix(text[i:], "${"):
			c = envVariable[0]
		}
		inWord = true
		word.WriteByte(c)
	}
	end()
	return args
}
