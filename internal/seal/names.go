package seal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// fits says whether a seal can hold path, which is below one of roots: one
// spelling, no way out, nothing that JSON or a log would have to escape.
func fits(path string) bool {
	if len(path) > MaxPath || !below(path) {
		return false
	}
	depth, start := 0, 0
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			if c := path[i]; c < 0x20 || c == 0x7f || c == '"' || c == '\\' {
				return false
			}
			continue
		}
		if name := path[start:i]; name == "" || name == "." || name == ".." || len(name) > 255 {
			return false
		}
		depth++
		start = i + 1
	}
	return depth <= MaxDepth && printable(path)
}

func below(path string) bool {
	for _, root := range roots {
		if rest, ok := strings.CutPrefix(path, root); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

func printable(s string) bool {
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
		i += size
	}
	return true
}
