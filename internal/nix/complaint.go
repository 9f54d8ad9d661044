package nix

import (
	"bytes"
	"regexp"
	"strings"
)

var dependencyFailed = regexp.MustCompile(`dependenc(y|ies)\b.*\bfailed\b`)

// complaint gives in Nix's words, on one line, what is wrong: the last of its
// errors, which is the cause of those before it, unless it only says that a
// dependency failed.
func complaint(stderr string) string {
	var errs []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "error:"); ok {
			errs = append(errs, text)
		} else if len(errs) > 0 {
			errs[len(errs)-1] += " " + line
		}
	}
	text := stderr
	for i, e := range errs {
		if i == 0 || !dependencyFailed.MatchString(e) {
			text = e
		}
	}
	words := strings.Join(strings.Fields(text), " ")
	if len(words) > 1000 {
		words = strings.ToValidUTF8(words[:1000], "") + "…"
	}
	return words
}

// A head keeps what is written to it up to a bound, and swallows the rest.
type head struct {
	data []byte
	left int // bytes; negative if something was swallowed
}

func (h *head) Write(p []byte) (int, error) {
	if h.left -= len(p); h.left >= 0 {
		h.data = append(h.data, p...)
	}
	return len(p), nil
}

const tailSize = 64 << 10 // bytes

// A tail keeps the end of what is written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*tailSize {
		t.data = bytes.Clone(t.data[len(t.data)-tailSize:])
	}
	return len(p), nil
}
