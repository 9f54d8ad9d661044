package cli

import (
	"errors"
	"strings"
)

// Several is an error that is many: Exit prints each on a line of its own, with its own hint.
type Several []error

// Join gives an error of all that are not nil: nil if there is none.
func Join(errs ...error) error {
	var s Several
	for _, err := range errs {
		if err != nil {
			s = append(s, err)
		}
	}
	switch len(s) {
	case 0:
		return nil
	case 1:
		return s[0]
	}
	return s
}

// Error gives all of them, a line each.
func (s Several) Error() string {
	lines := make([]string, len(s))
	for i, err := range s {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives all of them.
func (s Several) Unwrap() []error { return s }

// Hint gives the line that WithHint added to err, or "".
func Hint(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}
