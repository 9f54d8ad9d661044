package manifest

import (
	"bytes"
	"cachekey/internal/message"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	maxFile  = 1 << 20 // bytes of one manifest: some 10,000 tasks
	maxRead  = 1 << 22 // bytes and nodes of one manifest, counted again wherever an alias repeats them
	maxMerge = 16      // levels of `<<` in `<<`
)

// A document is one manifest as YAML: it walks nodes, and notes what is wrong.
// Nodes and not structs, because only they have the place of everything, and
// because one mistake must not hide the next.
type document struct {
	file string // as positions name it
	*mistakes
	left int // how much may still be looked at, of maxRead
}

func (d *document) at(n *yaml.Node) Position {
	return Position{File: d.file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

func (d *document) mistake(n *yaml.Node, cure, format string, args ...any) {
	d.add(d.at(n), cure, format, args...)
}

// follow gives the node that n stands for, or nil once too much was looked at.
func (d *document) follow(n *yaml.Node) *yaml.Node {
	v := n
	if n.Kind == yaml.AliasNode {
		v = n.Alias
	}
	if d.left < 0 {
		return nil
	}
	if d.left -= 1 + len(v.Value); d.left < 0 {
		d.mistake(n, "write out what the aliases repeat", "too large once its aliases are followed")
		return nil
	}
	return v
}

// A field is one entry of a mapping.
type field struct {
	name       string
	key, value *yaml.Node
}

// fields gives the entries of the mapping n in the order in which they stand,
// then those that it merges in with <<. Null has none.
func (d *document) fields(n *yaml.Node, what string) []field {
	m := d.follow(n)
	if m == nil || isNull(m) {
		return nil
	}
	if m.Kind != yaml.MappingNode {
		d.mistake(n, "write it as lines of key: value", "%s must be a mapping, and is %s", what, kind(m))
		return nil
	}
	return d.merge(m, what, map[string]bool{}, 0)
}

func (d *document) merge(m *yaml.Node, what string, outer map[string]bool, depth int) []field {
	var all []field
	var merged []*yaml.Node
	own := map[string]int{} // key → line
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := d.follow(m.Content[i])
		if key == nil {
			return all
		}
		if key.Kind == yaml.ScalarNode && key.Tag == "!!merge" {
			merged = append(merged, m.Content[i+1])
			continue
		}
		name, ok := d.text(m.Content[i], "a key of "+what)
		if !ok {
			continue
		}
		if line, twice := own[name]; twice {
			d.mistake(m.Content[i], "keep one of them", "%q is in %s twice, first on line %d", name, what, line)
			continue
		}
		own[name] = m.Content[i].Line
		if !outer[name] {
			all = append(all, field{name, m.Content[i], m.Content[i+1]})
		}
	}
	for name := range own {
		outer[name] = true
	}
	for _, n := range merged {
		all = append(all, d.merged(n, what, outer, depth+1, false)...)
	}
	return all
}

// merged gives the entries that << brings in: of a mapping, or of a list of them.
func (d *document) merged(n *yaml.Node, what string, outer map[string]bool, depth int, listed bool) []field {
	v := d.follow(n)
	switch {
	case v == nil:
		return nil
	case depth > maxMerge:
		d.mistake(n, "", "more than %d levels of << in %s", maxMerge, what)
		return nil
	case v.Kind == yaml.MappingNode:
		return d.merge(v, what, outer, depth)
	case v.Kind == yaml.SequenceNode && !listed:
		var all []field
		for _, c := range v.Content {
			all = append(all, d.merged(c, what, outer, depth, true)...)
		}
		return all
	}
	d.mistake(n, "give << the alias of a mapping: <<: *name", "<< in %s must be a mapping, and is %s", what, kind(v))
	return nil
}

var scalarTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}

// text gives the scalar n as it is written, quotes and escapes undone: 1 and
// "1" are the same, as they are to the existing same.
func (d *document) text(n *yaml.Node, what string) (string, bool) {
	v := d.follow(n)
	switch {
	case v == nil:
		return "", false
	case isNull(v):
		d.mistake(n, `write "" if you mean the empty string`, "%s has no value", what)
	case v.Kind != yaml.ScalarNode:
		d.mistake(n, "", "%s must be a string, and is %s", what, kind(v))
	case !slices.Contains(scalarTags, v.ShortTag()):
		d.mistake(n, "put it in quotes if you mean a string", "%s has the tag %s, which means nothing here", what, v.ShortTag())
	case hasNUL(v.Value):
		d.mistake(n, "", "%s has a NUL character in it", what)
	default:
		return v.Value, true
	}
	return "", false
}

// An item is one string of a list, and where it stands.
type item struct {
	text string
	node *yaml.Node
}

// list gives the strings of the sequence n. Null has none.
func (d *document) list(n *yaml.Node, what string) []item {
	v := d.follow(n)
	if v == nil || isNull(v) {
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		cure := "write it as a list: [a, b]"
		if v.Kind == yaml.ScalarNode {
			cure = fmt.Sprintf("write it as a list: [%s]", quoted(strings.Fields(v.Value)))
		}
		d.mistake(n, cure, "%s must be a list, and is %s", what, kind(v))
		return nil
	}
	items := make([]item, 0, len(v.Content))
	for _, c := range v.Content {
		if text, ok := d.text(c, "an item of "+what); ok {
			items = append(items, item{text, c})
		}
	}
	return items
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func hasNUL(s string) bool { return bytes.IndexByte([]byte(s), 0) >= 0 }

func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "empty"
	default:
		return fmt.Sprintf("the string %q", n.Value)
	}
}

// unknown notes a field that nothing reads, with the one that was most likely meant.
func (d *document) unknown(f field, what string, known []string) {
	near := synonyms[f.name]
	if !slices.Contains(known, near) {
		near = message.Nearest(f.name, known)
	}
	cure := fmt.Sprintf("did you mean %q?", near)
	if near == "" {
		cure = fmt.Sprintf("the fields of %s are %s", what, join(known))
	}
	d.mistake(f.key, cure, "unknown field %q in %s", f.name, what)
}

// synonyms are what other task runners call our fields.
var synonyms = map[string]string{
	"command": "cmd", "commands": "cmd", "run": "cmd", "script": "cmd",
	"output": "target", "outputs": "target", "produces": "target",
	"sources": "input", "srcs": "input",
	"deps": "dependsOn", "depends": "dependsOn", "dependencies": "dependsOn", "needs": "dependsOn",
	"env": "environment", "cwd": "workingDir", "dir": "workingDir",
	"packages": "projects", "members": "projects",
}
