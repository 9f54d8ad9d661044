package manifest

import (
	"bytes"
	"cachekey/internal/message"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v4"
	"golang.org/x/sys/unix"
)

// readYAML gives the top mapping of a manifest, or nil after noting why not.
func readYAML(path, file string, m *mistakes) (*document, *yaml.Node) {
	d := &document{file: file, mistakes: m, left: maxRead}
	data, err := readBounded(path)
	if err != nil {
		m.add(Position{File: file, Line: 1, Column: 1}, message.Hint(err), "%v", err)
		return nil, nil
	}
	return d, d.parse(data)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a fifo would wait for a writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, message.WithHint(errors.New("not a regular file"), "a manifest is a file, or a link to one")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than 1 MiB, which no manifest is")
	}
	return data, err
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
		d.add(top, `begin with version: "1" and a task below tasks:`, "nothing in it")
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

// syntax notes what the YAML parser said of data, in our form and at its place.
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
		cure = "indent with spaces: YAML takes no tabs there"
	}
	d.add(pos, cure, "not YAML: %s", text)
}

// beginsWithTab says whether the line of that number, from 1, has a tab before
// its text.
func beginsWithTab(data []byte, number int) bool {
	for line := range bytes.Lines(data) {
		if number--; number == 0 {
			return bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("\t"))
		}
	}
	return false
}
