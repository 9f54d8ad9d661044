package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Several is a list of errors, each of which is printed on a line of its own,
// with its own hint.
type Several []error

// Join returns the errors that are not nil as one error, or nil if there are none.
func Join(errs ...error) error {
	s := Several(slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil }))
	switch len(s) {
	case 0:
		return nil
	case 1:
		return s[0]
	}
	return s
}

// Error returns the texts of all errors, one per line.
func (s Several) Error() string {
	lines := make([]string, len(s))
	for i, err := range s {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns all errors.
func (s Several) Unwrap() []error { return s }

// Hint returns the hint that WithHint added to err, or "".
func Hint(err error) string {
	var h hinted
	errors.As(err, &h)
	return h.hint
}

type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// WithHint adds a hint to err: a line that says how to solve the problem.
func WithHint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}
