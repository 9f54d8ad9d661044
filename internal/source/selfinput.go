package source

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// selfInput reports whether the text of a flake.nix sets an attribute of
// inputs.self, and returns the first (".submodules"). Nix then fetches the flake
// again, a clean tree from git's objects (applySelfAttrs in Nix's
// src/libflake/flake.cc), and its narHash is not that of the tree on disk.
//
// Nix accepts only literal attribute sets for a flake and its inputs, so their
// bindings can be read without evaluating anything.
func selfInput(text []byte) (attr string, found bool, err error) {
	l := &lexer{text: string(text)}
	tokens, err := l.all()
	if err != nil {
		return "", false, err
	}
	top, err := bindings(tokens)
	if err != nil {
		return "", false, err
	}
	for _, b := range top {
		if len(b.path) == 0 || b.path[0] != "inputs" {
			continue
		}
		inputs := []binding{{b.path[1:], b.value}}
		if len(b.path) == 1 {
			if inputs, err = bindings(b.value); err != nil {
				return "", false, err
			}
		}
		for _, in := range inputs {
			if len(in.path) == 0 || in.path[0] != "self" {
				continue
			}
			if len(in.path) > 1 {
				return "." + strings.Join(in.path[1:], "."), true, nil
			}
			attrs, err := bindings(in.value)
			if err != nil {
				return "", false, err
			}
			if len(attrs) > 0 {
				return "." + strings.Join(attrs[0].path, "."), true, nil
			}
		}
	}
	return "", false, nil
}

// A binding is `path = value;` in an attribute set. An inherited name is a
// binding without a value.
type binding struct {
	path  []string
	value []token
}

var (
	errNotASet  = errors.New("not an attribute set")
	errComputed = errors.New("a name in it is computed")
)

// bindings returns the bindings of a literal attribute set.
func bindings(tokens []token) ([]binding, error) {
	for len(tokens) > 0 && tokens[0].is("rec") {
		tokens = tokens[1:]
	}
	// Nix ignores parentheses around a literal.
	for len(tokens) > 1 && tokens[0].is("(") && tokens[len(tokens)-1].is(")") {
		tokens = tokens[1 : len(tokens)-1]
	}
	if len(tokens) < 2 || !tokens[0].is("{") || !tokens[len(tokens)-1].is("}") {
		return nil, errNotASet
	}
	tokens = tokens[1 : len(tokens)-1]
	var all []binding
	for len(tokens) > 0 {
		end := endOfBinding(tokens)
		if end < 0 {
			return nil, errNotASet
		}
		some, err := newBindings(tokens[:end])
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		tokens = tokens[end+1:]
	}
	return all, nil
}

// newBindings returns the binding in tokens, or the bindings of an inherit. A
// name that Nix would have to evaluate is an error: names may be expressions, and
// __overrides adds attributes to a rec.
func newBindings(tokens []token) ([]binding, error) {
	if len(tokens) > 0 && tokens[0].is("inherit") {
		var all []binding
		depth := 0
		for _, t := range tokens[1:] {
			depth += t.nesting()
			if depth == 0 && (t.kind == name || t.kind == quoted) {
				all = append(all, binding{path: []string{t.text}})
			}
		}
		return all, nil
	}
	var b binding
	for len(tokens) > 0 {
		t := tokens[0]
		// For Nix's parser ${"name"} is that name and not an expression.
		if len(tokens) > 2 && t.is("${") && tokens[1].kind == quoted && tokens[2].is("}") {
			t, tokens = tokens[1], tokens[2:]
		}
		tokens = tokens[1:]
		switch {
		case t.is("="):
			b.value = tokens
			return []binding{b}, nil
		case t.kind != other && t.text != "__overrides":
			b.path = append(b.path, t.text)
		case !t.is("."):
			return nil, errComputed
		}
	}
	return nil, errNotASet
}

// endOfBinding returns the index of the semicolon that ends the first binding,
// or -1. Other semicolons end the bindings of a let, or follow with and assert.
func endOfBinding(tokens []token) int {
	depth, lets, clauses := 0, 0, 0
	for i, t := range tokens {
		depth += t.nesting()
		if depth > 0 {
			continue
		}
		switch {
		case t.is("let") && !(i+1 < len(tokens) && tokens[i+1].is("{")): // let { } is a set
			lets++
		case t.is("in"):
			lets--
		case lets > 0: // all semicolons up to its in are its own
		case t.is("with") || t.is("assert"):
			clauses++
		case t.is(";") && clauses == 0:
			return i
		case t.is(";"):
			clauses--
		}
	}
	return -1
}

// A token is one of the Nix language, as far as the structure of a file needs it:
// numbers and operators are words or characters without a meaning.
type token struct {
	kind tokenKind
	text string // of a name or a quoted name without its quotes
}

type tokenKind uint8

const (
	name   tokenKind = iota // an identifier or keyword
	quoted                  // a string without interpolation
	other
)

// is reports whether t is the keyword or the character s.
func (t token) is(s string) bool { return t.kind != quoted && t.text == s }

func (t token) nesting() int {
	switch {
	case t.is("{") || t.is("(") || t.is("[") || t.is("${"):
		return 1
	case t.is("}") || t.is(")") || t.is("]"):
		return -1
	}
	return 0
}

// A lexer splits Nix into tokens by the rules of Nix's src/libexpr/lexer.l.
type lexer struct {
	text string
	at   int
}

func (l *lexer) all() ([]token, error) {
	var all []token
	for {
		t, ok, err := l.next()
		if err != nil || !ok {
			return all, err
		}
		all = append(all, t)
	}
}

func (l *lexer) next() (t token, ok bool, err error) {
	if err := l.skipBlank(); err != nil || l.at == len(l.text) {
		return token{}, false, err
	}
	rest := l.text[l.at:]
	start := l.at
	switch c := rest[0]; {
	case c == '"':
		t, err = l.quoted(1, `"`)
		return t, true, err
	case strings.HasPrefix(rest, "''"):
		t, err = l.quoted(2, "''")
		return t, true, err
	case strings.HasPrefix(rest, "${"), strings.HasPrefix(rest, "//"):
		l.at += 2
		return token{other, rest[:2]}, true, nil
	case uri.MatchString(rest):
		l.at += len(uri.FindString(rest))
		return token{other, l.text[start:l.at]}, true, nil
	case pathStart.MatchString(rest):
		return token{other, "./path"}, true, l.path()
	case isWord(c):
		for l.at < len(l.text) && isWord(l.text[l.at]) {
			l.at++
		}
		word := l.text[start:l.at]
		if word[0] == '-' || word[0] == '\'' || '0' <= word[0] && word[0] <= '9' {
			return token{other, word}, true, nil
		}
		return token{name, word}, true, nil
	}
	l.at++
	return token{other, rest[:1]}, true, nil
}

// uri matches a string without quotes. It may contain what elsewhere begins a
// string or a comment.
var uri = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:[a-zA-Z0-9%/?:@&=+$,_.!~*'-]+`)

// pathStart matches the beginning of a path: a/b, ./a, ~/a, <a/b>, and what stands before
// the first interpolation of ./${a} or ~/${a}. What follows one is pathRest.
var (
	pathStart = regexp.MustCompile(`^(?:[a-zA-Z0-9._+-]*(?:/[a-zA-Z0-9._+-]+)+/?|~(?:/[a-zA-Z0-9._+-]+)+/?|<[a-zA-Z0-9._+-]+(?:/[a-zA-Z0-9._+-]+)*>|(?:~|[a-zA-Z0-9._+-]*)/\$\{)`)
	pathRest  = regexp.MustCompile(`^[a-zA-Z0-9._+-]*(?:/[a-zA-Z0-9._+-]+)*/?`)
)

// path reads the path that begins here. Its names may be keywords elsewhere.
func (l *lexer) path() error {
	l.at += len(strings.TrimSuffix(pathStart.FindString(l.text[l.at:]), "${"))
	if l.text[l.at-1] == '>' {
		return nil
	}
	for strings.HasPrefix(l.text[l.at:], "${") {
		l.at += 2
		if err := l.interpolation(); err != nil {
			return err
		}
		l.at += len(pathRest.FindString(l.text[l.at:]))
	}
	return nil
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '\''
}

func (l *lexer) skipBlank() error {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.at++
		case rest[0] == '#':
			if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
				l.at += i
			} else {
				l.at = len(l.text)
			}
		case strings.HasPrefix(rest, "/*"):
			i := strings.Index(rest[2:], "*/")
			if i < 0 {
				return fmt.Errorf("unterminated comment")
			}
			l.at += i + 4
		default:
			return nil
		}
	}
	return nil
}

// quoted reads the string that begins here with a delimiter of size bytes.
func (l *lexer) quoted(size int, end string) (token, error) {
	l.at += size
	var b strings.Builder
	interpolated := false
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case size == 2 && (strings.HasPrefix(rest, "'''") || strings.HasPrefix(rest, "''$")):
			b.WriteByte(rest[2])
			l.at += 3
		case size == 2 && strings.HasPrefix(rest, `''\`) && len(rest) > 3:
			b.WriteByte(rest[3])
			l.at += 4
		case strings.HasPrefix(rest, end):
			l.at += size
			if interpolated {
				return token{other, `""`}, nil
			}
			return token{quoted, b.String()}, nil
		case size == 1 && rest[0] == '\\' && len(rest) > 1:
			b.WriteByte(rest[1])
			l.at += 2
		case strings.HasPrefix(rest, "$$"):
			b.WriteString("$$")
			l.at += 2
		case strings.HasPrefix(rest, "${"):
			interpolated = true
			l.at += 2
			if err := l.interpolation(); err != nil {
				return token{}, err
			}
		default:
			b.WriteByte(rest[0])
			l.at++
		}
	}
	return token{}, fmt.Errorf("unterminated string")
}

// interpolation reads up to the brace that closes the ${ before it.
func (l *lexer) interpolation() error {
	for depth := 1; depth > 0; {
		t, ok, err := l.next()
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("unterminated ${")
		}
		if t.is("{") || t.is("${") {
			depth++
		}
		if t.is("}") {
			depth--
		}
	}
	return nil
}
