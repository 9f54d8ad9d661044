package source

import (
	"fmt"
	"regexp"
	"strings"
)

// A token of the Nix language, as far as the structure of a file needs them:
// numbers, paths and operators are words or single characters without meaning.
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

// is says whether t is the keyword or the character s.
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

// A lexer cuts Nix into tokens. The rules are those of Nix's
// src/libexpr/lexer.l.
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
	case isWord(c):
		for l.at < len(l.text) && isWord(l.text[l.at]) {
			l.at++
		}
		word := l.text[start:l.at]
		// A path is one token for Nix. Here it may be several: it holds no
		// brackets, quotes or semicolons.
		if word[0] == '-' || word[0] == '\'' || '0' <= word[0] && word[0] <= '9' {
			return token{other, word}, true, nil
		}
		return token{name, word}, true, nil
	}
	l.at++
	return token{other, rest[:1]}, true, nil
}

// uri is a string without quotes, and may hold what elsewhere begins a string
// or a comment.
var uri = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:[a-zA-Z0-9%/?:@&=+$,_.!~*'-]+`)

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
				return fmt.Errorf("a comment that does not end")
			}
			l.at += i + 4
		default:
			return nil
		}
	}
	return nil
}

// quoted reads a string that begins here with a delimiter of size bytes.
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
	return token{}, fmt.Errorf("a string that does not end")
}

// interpolation reads up to the brace that closes the ${ before it.
func (l *lexer) interpolation() error {
	for depth := 1; depth > 0; {
		t, ok, err := l.next()
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("a ${ that does not end")
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
