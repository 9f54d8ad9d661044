package hits

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// maxName is the maximum length of a task's name in bytes.
const maxName = 255

// An event is what happened to a task according to a line.
type event int

const (
	output      event = iota // nothing: the task printed the line
	starting                 // the task started
	completed                // it succeeded
	failed                   // it failed
	interrupted              // the run was interrupted while it ran
	skipped                  // our runner skipped it
	cached                   // upstream same skipped it, after starting
	again                    // it will start, because its result can't be restored
)

// counts are the parts of a line of counts, which ends with "; took " and the time. Each
// has a number between these words.
var counts = [...]struct {
	status        Status
	before, after string
	names         bool // names in parentheses follow; the part may be missing
}{
	{Ran, "", " ran", false},
	{Skipped, ", ", " cached", false},
	{Failed, ", ", " failed (", true},
	{Interrupted, ", ", " interrupted (", true},
}

// endings are the beginnings of the lines that end a task. How long it took follows.
// The mark is upstream same's.
var endings = []struct {
	event       event
	mark, words string
}{
	{completed, "✓ ", "Completed in "},
	{failed, "✗ ", "Failed after "},
	{interrupted, "", "Interrupted after "},
}

// outcomes are the statuses of tasks that ended.
var outcomes = map[event]Status{completed: Ran, failed: Failed, interrupted: Interrupted}

// plain returns line without control sequences and without the prefix that GitHub
// adds. It reuses the memory of line.
//
// It removes only one prefix, and none from a line that begins with a bracket, which
// is followed by the output of a task.
func plain(line []byte) []byte {
	line = bytes.TrimPrefix(withoutSequences(bytes.TrimRight(line, "\r\n")), []byte("\ufeff"))
	if len(line) == 0 || line[0] == '[' {
		return line
	}
	if rest, ok := cutStamp(line); ok {
		return rest
	}
	// gh run view --log prints the job and the step before the time.
	job, rest, _ := bytes.Cut(line, []byte("\t"))
	_, rest, _ = bytes.Cut(rest, []byte("\t"))
	if rest, ok := cutStamp(rest); ok && len(job) > 0 {
		return rest
	}
	return line
}

// cutStamp removes the time that GitHub puts in front of a line, in RFC 3339.
func cutStamp(line []byte) (rest []byte, ok bool) {
	const shape = "0000-00-00T00:00:00"
	rest = bytes.TrimPrefix(line, []byte("\ufeff"))
	if len(rest) < len(shape) {
		return nil, false
	}
	for i, c := range rest[:len(shape)] {
		if c != shape[i] && (shape[i] != '0' || c < '0' || c > '9') {
			return nil, false
		}
	}
	rest = rest[len(shape):]
	if fraction, ok := bytes.CutPrefix(rest, []byte(".")); ok {
		rest = bytes.TrimLeft(fraction, "0123456789")
		if n := len(fraction) - len(rest); n < 1 || n > 9 {
			return nil, false
		}
	}
	return bytes.CutPrefix(rest, []byte("Z "))
}

// withoutSequences removes the control sequences from line: colours and other CSI, and
// OSC (links, titles).
// https://ecma-international.org/publications-and-standards/standards/ecma-48/
func withoutSequences(line []byte) []byte {
	out := line[:0]
	for {
		i := bytes.IndexByte(line, 0x1b)
		if i < 0 {
			return append(out, line...)
		}
		out = append(out, line[:i]...)
		n := sequence(line[i:])
		if n == 0 { // the escape stays
			out = append(out, 0x1b)
			n = 1
		}
		line = line[i+n:]
	}
}

// sequence returns the length of the control sequence at the beginning of s, which is
// an escape, or 0 if it is not one. It reads no further than the next escape.
func sequence(s []byte) int {
	i := 2
	switch {
	case len(s) < i:
	case s[1] == '[':
		for i < len(s) && s[i] >= '0' && s[i] <= '?' {
			i++
		}
		for i < len(s) && s[i] >= ' ' && s[i] <= '/' {
			i++
		}
		if i < len(s) && s[i] >= '@' && s[i] <= '~' {
			return i + 1
		}
	case s[1] == ']':
		for i < len(s) && s[i] != 0x07 && s[i] != 0x1b {
			i++
		}
		switch {
		case i < len(s) && s[i] == 0x07:
			return i + 1
		case bytes.HasPrefix(s[i:], []byte("\x1b\\")):
			return i + 2
		}
	}
	return 0
}

// parseLine returns the task of a plain line, or nothing, and the event.
func parseLine(line []byte) (task []byte, e event, took time.Duration) {
	if len(line) == 0 || line[0] != '[' {
		return nil, output, 0
	}
	name, text, ok := bytes.Cut(line[1:], []byte("] "))
	if !ok || len(name) == 0 || bytes.ContainsAny(name, "[]") {
		return nil, output, 0
	}
	if len(text) > 0 && strings.IndexByte("SCFIR~\xe2", text[0]) >= 0 { // any event begins so
		e, took = parseText(string(text))
	}
	return name, e, took
}

func parseText(text string) (event, time.Duration) {
	switch text {
	case "Starting...":
		return starting, 0
	case "Skipped (Cached)":
		return skipped, 0
	case "~ Cached", "⚡ Cached":
		return cached, 0
	}
	if strings.HasPrefix(text, "Runs again: ") {
		return again, 0
	}
	for _, end := range endings {
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(text, end.mark), end.words); ok {
			number, _, reason := strings.Cut(rest, ": ")
			if took, ok := parseDuration(number); ok && (!reason || end.event == failed) {
				return end.event, took
			}
		}
	}
	number, ok := strings.CutPrefix(text, "~ Cached (skipped in ")
	if !ok {
		number, ok = strings.CutPrefix(text, "⚡ Cached (skipped in ")
	}
	if _, valid := parseDuration(strings.TrimSuffix(number, ")")); ok && valid && strings.HasSuffix(number, ")") {
		return cached, 0
	}
	return output, 0
}

// parseDuration parses a duration as both runners print it, and Go reads it: 1.2s,
// 3m05s, 40µs.
func parseDuration(s string) (time.Duration, bool) {
	if s == "" || len(s) > 40 || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// parseCounts returns the numbers of a line of counts, parallel to counts, and whether
// it is one.
func parseCounts(line []byte) (numbers [len(counts)]int, ok bool) {
	if len(line) == 0 || line[0] < '0' || line[0] > '9' {
		return numbers, false
	}
	rest := string(line)
	for i, c := range counts {
		text, ok := strings.CutPrefix(rest, c.before)
		if ok {
			digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
			n, err := strconv.ParseUint(digits, 10, 30)
			numbers[i] = int(n)
			text, ok = strings.CutPrefix(text[len(digits):], c.after)
			ok = ok && err == nil
		}
		if ok && c.names {
			_, after, closed := strings.Cut(text, ")")
			ok = closed && !strings.Contains(text[:len(text)-len(after)-1], "(")
			text = after
		}
		switch {
		case ok:
			rest = text
		case c.names:
			numbers[i] = 0
		default:
			return numbers, false
		}
	}
	others, _, ok := strings.Cut(rest, ";")
	return numbers, ok && (others == "" || strings.HasPrefix(others, ", ")) && strings.HasPrefix(rest[len(others):], "; took ")
}
