package cli

import (
	"cachekey/internal/message"
	"errors"
	"strings"
	"testing"
)

func TestExitPrintsEachOfSeveral(t *testing.T) {
	var stderr strings.Builder
	o := &IO{Program: "same", Err: &stderr, Getenv: func(string) string { return "" }}
	code := o.Exit(UsageError{Err: message.Several{
		message.WithHint(errors.New("one\ntwo"), "do this"),
		ErrFailed,
		errors.New("three"),
	}})
	want := "same: error: one\nsame:        two\nsame: hint: do this\nsame: error: three\n"
	if code != 2 || stderr.String() != want {
		t.Errorf("exit code %d, want 2; printed:\n%s\nwant:\n%s", code, stderr.String(), want)
	}
}
