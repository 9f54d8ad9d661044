package cli

import (
	"io"

	"golang.org/x/term"
)

const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	reset  = "\x1b[0m"
)

// Terminal says whether w is a terminal that a person looks at.
func Terminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// Colour says whether to use colours on w: a terminal, unless NO_COLOR is set
// and not empty (https://no-color.org) or TERM is "dumb".
func (o *IO) Colour(w io.Writer) bool {
	return Terminal(w) && o.Getenv("NO_COLOR") == "" && o.Getenv("TERM") != "dumb"
}
