package dotsame

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"cachekey/internal/digest"
	"cachekey/internal/disk"
)

// MaxBuildInfo is the maximum size of a build info in bytes: enough for some
// 500,000 inputs.
const MaxBuildInfo = 64 << 20

// Minimum average sizes, in bytes, of the elements of lists in a build info. Smaller
// ones would take more memory than their text, and are invalid anyway.
const (
	minOutput = 38 // {"path":"d","type":"dir","mode":"0755"}
	minInput  = 80 // {"path":"f","digest":"<64 hex>"}
	minDigest = 66 // "":"<64 hex>"
)

// UnmarshalJSON decodes a list of outputs.
func (o *Outputs) UnmarshalJSON(data []byte) (err error) {
	*o, err = disk.DecodeJSONList[Output](data, minOutput)
	return err
}

// UnmarshalJSON decodes a list of inputs.
func (in *Inputs) UnmarshalJSON(data []byte) (err error) {
	*in, err = disk.DecodeJSONList[Input](data, minInput)
	return err
}

// UnmarshalJSON decodes an object whose members are digests.
func (d *Digests) UnmarshalJSON(data []byte) (err error) {
	*d, err = disk.DecodeJSONMap[digest.Digest](data, minDigest)
	return err
}

// ParseBuildInfo parses a build info. It may come from a cache that others can write,
// so anything that Encode would not write is an error. The build info of upstream
// same is Foreign and has no outputs.
func ParseBuildInfo(data []byte) (*BuildInfo, error) {
	return parse(data, true)
}

// parseHead is ParseBuildInfo without the inputs, which are most of the bytes and
// which only `same plan` needs.
func parseHead(data []byte) (*BuildInfo, error) {
	return parse(data, false)
}

func parse(data []byte, all bool) (*BuildInfo, error) {
	if len(data) > MaxBuildInfo {
		return nil, fmt.Errorf("build info of %d bytes is larger than %d", len(data), MaxBuildInfo)
	}
	var b BuildInfo
	head := data
	if i := bytes.Index(data, inputsMark); !all && i >= 0 && bytes.HasSuffix(data, tail) {
		head = append(bytes.Clone(data[:i]), '\n', '}', '\n')
	}
	if err := disk.DecodeJSON(head, &b); err != nil {
		return nil, fmt.Errorf("not a build info: %w", err)
	}
	return &b, b.check()
}

// Encode writes these around the inputs. A JSON string has no bare newline, so
// the mark occurs nowhere else in the document.
var (
	inputsMark = []byte(",\n\"inputs\": [")
	tail       = []byte("]\n}\n")
)

// Encode writes b for ParseBuildInfo, with the inputs at the end, one a line. It
// does not hold their text in memory: there may be hundreds of thousands.
func (b *BuildInfo) Encode(w io.Writer) error {
	if err := b.check(); err != nil {
		return err
	}
	head := *b
	head.Inputs = nil
	doc, err := json.MarshalIndent(head, "", " ")
	if err != nil {
		return err
	}
	to := bufio.NewWriter(w)
	size, _ := to.Write(bytes.TrimSuffix(doc, []byte("\n}"))) // to keeps its first error for Flush
	before := inputsMark
	for _, in := range b.Inputs {
		line, err := json.Marshal(in)
		if err != nil {
			return err
		}
		size += len(before) + len("\n") + len(line)
		to.Write(before)
		to.WriteByte('\n')
		to.Write(line)
		before = []byte{','}
	}
	end := []byte("\n}\n")
	if len(b.Inputs) > 0 {
		end = tail
	}
	to.Write(end)
	if size += len(end); size > MaxBuildInfo {
		return fmt.Errorf("build info of %d bytes is larger than %d", size, MaxBuildInfo)
	}
	return to.Flush()
}

func (b *BuildInfo) check() error {
	switch {
	case b.TaskName == "":
		return errors.New("build info has no task_name")
	case b.Foreign():
		b.Outputs, b.Log, b.Recipe, b.Depends, b.Inputs, b.DurationMS = nil, nil, nil, nil, nil, 0
		return nil
	case b.DurationMS < 0 || b.Duration() < 0 || b.Duration() > 1000*24*time.Hour:
		return fmt.Errorf("duration_ms %d is out of range", b.DurationMS)
	}
	if _, err := digest.Parse(b.InputHash); err != nil {
		return fmt.Errorf("input_hash: %w", err)
	}
	if err := checkOutputs(b.Outputs); err != nil {
		return err
	}
	if err := b.Log.check(); err != nil {
		return err
	}
	if want := OutputHash(b.Outputs).String(); b.OutputHash != want {
		return fmt.Errorf("output_hash %.70q does not match the outputs", b.OutputHash)
	}
	return nil
}

// checkOutputs returns an error unless the outputs can be restored exactly where
// they were made: they are sorted, each occurs once, and none is below a file or a
// link.
func checkOutputs(outputs []Output) error {
	last, closed := "", make(map[string]bool) // closed: files and links
	for _, o := range outputs {
		if err := CheckPath(o.Path); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		if o.Path <= last {
			return fmt.Errorf("output %q is out of order", o.Path)
		}
		for up := path.Dir(o.Path); up != "."; up = path.Dir(up) {
			if closed[up] {
				return fmt.Errorf("output %q is below %q, which is not a directory", o.Path, up)
			}
		}
		if err := o.check(); err != nil {
			return fmt.Errorf("output %q: %w", o.Path, err)
		}
		if o.Type != TypeDir {
			closed[o.Path] = true
		}
		last = o.Path
	}
	return nil
}

func (o *Output) check() error {
	switch {
	case o.Mode > 0o777:
		return fmt.Errorf("mode %04o is not between 0000 and 0777", uint32(o.Mode))
	case o.Type != TypeFile && (o.Size != 0 || !o.Digest.IsZero()):
		return fmt.Errorf("type %q has no size and no digest", o.Type)
	case o.Type != TypeLink && o.Link != "":
		return fmt.Errorf("type %q has no link", o.Type)
	}
	switch o.Type {
	case TypeFile:
		if o.Size < 0 || o.Digest.IsZero() {
			return errors.New("a file must have a size and a digest")
		}
	case TypeDir:
	case TypeLink:
		if o.Link == "" || len(o.Link) > 4095 || strings.Contains(o.Link, "\x00") || !utf8.ValidString(o.Link) || o.Mode != 0 {
			return fmt.Errorf("invalid link %.100q", o.Link)
		}
	default:
		return fmt.Errorf("type %.20q is not file, dir or link", o.Type)
	}
	return nil
}
