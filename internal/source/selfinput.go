package source

import (
	"errors"
	"strings"
)

// selfInput says whether the text of a flake.nix sets an attribute of
// inputs.self, and which (".submodules"). Nix then fetches the flake a second
// time, and a clean tree from git's objects (applySelfAttrs in Nix's
// src/libflake/flake.cc), with another narHash than the tree on disk.
//
// Nix takes nothing but literal attribute sets for a flake and its inputs, so
// that reading their bindings, without evaluating anything, is enough.
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

// bindings reads the bindings of a literal attribute set.
func bindings(tokens []token) ([]binding, error) {
	for len(tokens) > 0 && tokens[0].is("rec") {
		tokens = tokens[1:]
	}
	// Parentheses around a literal are nothing to Nix.
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

// newBindings reads one binding, or the several that an inherit is. What Nix
// would have to evaluate to know a name is an error: the name of the flake's own
// attributes may be an expression, and __overrides adds attributes to a rec.
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
		// For Nix's parser ${"name"} is no expression but that name.
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

// endOfBinding finds the semicolon that ends the first binding. Others end the
// bindings of a let, or stand after with and assert.
func endOfBinding(tokens []token) int {
	depth, lets, clauses := 0, 0, 0
	for i, t := range tokens {
		depth += t.nesting()
		if depth > 0 {
			continue
		}
		switch {
		case t.is("let"):
			lets++
		case t.is("in"):
			lets--
		case t.is("with") || t.is("assert"):
			clauses++
		case t.is(";") && lets == 0 && clauses == 0:
			return i
		case t.is(";") && lets == 0:
			clauses--
		}
	}
	return -1
}
