package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

const (
	maxFile  = 1 << 20 // bytes of one manifest: some 10,000 tasks
	maxRead  = 1 << 22 // bytes and nodes of one manifest, counted again for each alias
	maxMerge = 16      // levels of `<<` in `<<`
)

// A document is one manifest as YAML. It walks nodes, and notes mistakes. It does
// not decode into structs, because only nodes know their positions, and because
// one mistake must not hide the next.
type document struct {
	file string // as in positions
	root string // of the workspace, absolute; "" if it is unknown, after a mistake
	base string // the directory that paths are relative to, itself relative to root
	*mistakes
	left int // how much of maxRead is left
}

func (d *document) at(n *yaml.Node) Position {
	return Position{File: d.file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

func (d *document) mistake(n *yaml.Node, cure, format string, args ...any) {
	d.add(d.at(n), cure, format, args...)
}

// follow returns n, or the node that it is an alias of. It returns nil after
// maxRead.
func (d *document) follow(n *yaml.Node) *yaml.Node {
	v := n
	if n.Kind == yaml.AliasNode {
		v = n.Alias
	}
	if d.left < 0 {
		return nil
	}
	if d.left -= 1 + len(v.Value); d.left < 0 {
		d.mistake(n, "use fewer aliases of large values", "too large after its aliases are expanded")
		return nil
	}
	return v
}

// An item is a string with its node.
type item struct {
	text string
	node *yaml.Node
}

// A field is one entry of a mapping: its key, and the node of its value.
type field struct {
	item
	value *yaml.Node
}

// fields returns the entries of the mapping n in their order, then those that it
// merges with <<. Null has none.
func (d *document) fields(n *yaml.Node, what string) []field {
	m := d.follow(n)
	if m == nil || isNull(m) {
		return nil
	}
	if m.Kind != yaml.MappingNode {
		d.mistake(n, "write it as lines of key: value", "%s must be a mapping, not %s", what, kind(m))
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
			d.mistake(m.Content[i], "keep one of them", "%q occurs twice in %s, first on line %d", name, what, line)
			continue
		}
		own[name] = m.Content[i].Line
		if !outer[name] {
			all = append(all, field{item{name, m.Content[i]}, m.Content[i+1]})
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

// merged returns the entries that << merges: those of a mapping, or of a list of
// mappings.
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
	d.mistake(n, "give << the alias of a mapping: <<: *name", "<< in %s must be a mapping, not %s", what, kind(v))
	return nil
}

var scalarTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}

// text returns the scalar n as it is written, without quotes and escapes: 1 and
// "1" are the same, as in upstream same.
func (d *document) text(n *yaml.Node, what string) (string, bool) {
	v := d.follow(n)
	switch {
	case v == nil:
		return "", false
	case isNull(v):
		d.mistake(n, `write "" if you mean the empty string`, "%s has no value", what)
	case v.Kind != yaml.ScalarNode:
		d.mistake(n, "", "%s must be a string, not %s", what, kind(v))
	case !slices.Contains(scalarTags, v.ShortTag()):
		d.mistake(n, "put it in quotes if you mean a string", "%s has the unsupported tag %s", what, v.ShortTag())
	case strings.Contains(v.Value, "\x00"):
		d.mistake(n, "", "%s has a NUL character", what)
	default:
		return v.Value, true
	}
	return "", false
}

// item returns the string n. It returns the zero item for null.
func (d *document) item(n *yaml.Node, what string) item {
	if v := d.follow(n); v == nil || isNull(v) {
		return item{}
	}
	text, ok := d.text(n, what)
	if !ok {
		return item{}
	}
	return item{text, n}
}

// list returns the strings of the sequence n. Null has none.
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
		d.mistake(n, cure, "%s must be a list, not %s", what, kind(v))
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

func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "null"
	default:
		return fmt.Sprintf("the string %q", n.Value)
	}
}

// unknown notes an unknown field, and suggests the one that was most likely meant.
func (d *document) unknown(f field, what string, known []string) {
	near := synonyms[f.text]
	if !slices.Contains(known, near) {
		near = message.Nearest(f.text, known)
	}
	cure := fmt.Sprintf("did you mean %q?", near)
	if near == "" {
		cure = fmt.Sprintf("the fields of %s are %s", what, join(known))
	}
	d.mistake(f.node, cure, "unknown field %q in %s", f.text, what)
}

// synonyms maps the names that other task runners use to ours.
var synonyms = map[string]string{
	"command": "cmd", "commands": "cmd", "run": "cmd", "script": "cmd",
	"output": "target", "outputs": "target", "produces": "target",
	"sources": "input", "srcs": "input",
	"deps": "dependsOn", "depends": "dependsOn", "dependencies": "dependsOn", "needs": "dependsOn",
	"env": "environment", "cwd": "workingDir", "dir": "workingDir",
	"packages": "projects", "members": "projects",
}

// readYAML returns the top node of a manifest, or nil after noting a mistake.
func readYAML(path, file string, m *mistakes) (*document, *yaml.Node) {
	d := &document{file: file, mistakes: m, left: maxRead}
	data, err := disk.ReadTarget(path, maxFile)
	if err != nil {
		cure := ""
		if errors.As(err, new(*disk.NotFileError)) {
			cure = "a manifest is a file, or a link to one"
		}
		if wrapped := (*fs.PathError)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err // the position names the file
		}
		m.add(Position{File: file, Line: 1, Column: 1}, cure, "%v", err)
		return nil, nil
	}
	return d, d.parse(data)
}

func (d *document) parse(data []byte) *yaml.Node {
	top := Position{File: d.file, Line: 1, Column: 1}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		d.add(top, "", "%v", err)
		return nil
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		d.add(top, `begin with version: "1" and a task below tasks:`, "empty manifest")
		return nil
	case err != nil:
		d.syntax(err, data)
		return nil
	}
	switch err := loader.Load(&second); {
	case err == nil:
		d.mistake(&second, "keep one document in a manifest", "a second YAML document begins here")
	case !errors.Is(err, io.EOF):
		d.syntax(err, data)
	}
	return doc.Content[0]
}

// syntax notes an error of the YAML parser.
func (d *document) syntax(err error, data []byte) {
	pos := Position{File: d.file, Line: 1, Column: 1}
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		d.add(pos, "", "not YAML: %v", err)
		return
	}
	if e.Mark.Line > 0 {
		pos.Line, pos.Column = e.Mark.Line, e.Mark.Column
	}
	text := e.Message
	if e.ContextMsg != "" {
		text = e.ContextMsg + ": " + text
	}
	cure := ""
	if beginsWithTab(data, pos.Line) {
		cure = "indent with spaces: YAML does not allow tabs"
	}
	d.add(pos, cure, "not YAML: %s", text)
}

// beginsWithTab reports whether the indentation of the line with that number, from
// 1, has a tab.
func beginsWithTab(data []byte, number int) bool {
	for line := range bytes.Lines(data) {
		if number--; number == 0 {
			return bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("\t"))
		}
	}
	return false
}
