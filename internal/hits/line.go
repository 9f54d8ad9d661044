package hits

import (
	"bytes"
	"regexp"
	"strings"
	"time"
)

// maxName is how long a task's name may be, in bytes. What is longer is no line of same.
const maxName = 255

// A word is what a line says of a task.
type word int

const (
	output    word = iota // nothing: the task printed it
	starting              // it begins
	completed             // it has succeeded
	failed                // it has not
	skipped               // ours: it did not run
	cached                // the existing same's: it began, and did not run
)

var (
	// Control sequences: colours and other CSI, and OSC (links, titles).
	// https://ecma-international.org/publications-and-standards/standards/ecma-48/
	sequences = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))`)

	stamp    = `(?:\x{FEFF})?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z `
	stamped  = regexp.MustCompile(`^` + stamp)
	exported = regexp.MustCompile(`^[^\t]+\t[^\t]*\t` + stamp) // gh run view --log

	completedLine = regexp.MustCompile(`^(?:✓ )?Completed in ([0-9][0-9.a-zµ]*)$`)
	failedLine    = regexp.MustCompile(`^(?:✗ )?Failed after ([0-9][0-9.a-zµ]*)(?:: |$)`)
	cachedLine    = regexp.MustCompile(`^(?:~|⚡) Cached(?: \(skipped in [0-9][0-9.a-zµ]*\))?$`)
)

// parseLine says of which task line is, if any, and what it says.
//
// Only one prefix is taken off, and none from a line that begins with a bracket:
// from there on it is a task that speaks.
func parseLine(line []byte) (task string, w word, took time.Duration) {
	line = bytes.TrimRight(line, "\r\n")
	if bytes.IndexByte(line, 0x1b) >= 0 {
		line = sequences.ReplaceAll(line, nil)
	}
	line = bytes.TrimPrefix(line, []byte("\ufeff"))
	if len(line) > 0 && line[0] != '[' {
		if m := stamped.Find(line); m != nil {
			line = line[len(m):]
		} else if m := exported.Find(line); m != nil {
			line = line[len(m):]
		}
	}
	if len(line) == 0 || line[0] != '[' {
		return "", output, 0
	}
	name, text, ok := bytes.Cut(line[1:], []byte("] "))
	if !ok || len(name) == 0 || len(name) > maxName || bytes.ContainsAny(name, "[]") {
		return "", output, 0
	}
	w, took = parseText(string(text))
	return string(name), w, took
}

func parseText(text string) (word, time.Duration) {
	switch text {
	case "Starting...":
		return starting, 0
	case "Skipped (Cached)":
		return skipped, 0
	}
	// Both runners write a time as Go reads one: 1.2s, 3m05s, 40µs.
	if m := completedLine.FindStringSubmatch(text); m != nil {
		if took, err := time.ParseDuration(m[1]); err == nil {
			return completed, took
		}
	}
	if m := failedLine.FindStringSubmatch(text); m != nil {
		if took, err := time.ParseDuration(m[1]); err == nil {
			return failed, took
		}
	}
	if strings.Contains(text, "Cached") && cachedLine.MatchString(text) {
		return cached, 0
	}
	return output, 0
}
