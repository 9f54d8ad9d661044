package dotsame

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CheckPath says what is wrong with p as the path of something in the
// workspace: slash-separated, relative to its root, in its shortest form, and
// neither in a .git nor in a .same (in any case: some file systems fold it),
// where writing would mean executing.
func CheckPath(p string) error {
	if p == "" || len(p) > 4095 || !utf8.ValidString(p) || strings.Contains(p, "\x00") {
		return fmt.Errorf("path %.100q is no path", p)
	}
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "" || part == "." || part == ".." || len(part) > 255:
			return fmt.Errorf("path %.100q does not stay in the workspace", p)
		case Private(part):
			return fmt.Errorf("path %.100q is in %s", p, part)
		}
	}
	return nil
}

// Private says whether a file or directory called name belongs to git or to
// same itself: never an input, never an output.
func Private(name string) bool {
	return strings.EqualFold(name, ".git") || strings.EqualFold(name, Name)
}
