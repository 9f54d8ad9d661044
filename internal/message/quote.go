package message

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Seconds writes a duration as people time builds: 0.4s, 12.0s, 3m05s, 1h02m.
func Seconds(d time.Duration) string {
	switch {
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour-time.Second/2:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}

// Elapsed writes a duration that still grows: Seconds, without tenths.
func Elapsed(d time.Duration) string {
	return strings.Replace(Seconds(d.Truncate(time.Second)), ".0s", "s", 1)
}

// Name gives a name as it is, or, if a line of a log could not hold it, quoted.
func Name(s string) string {
	if q := Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// Quote makes s safe for one line of a log: quoted, with everything escaped that
// does not print, and what GitHub's runner takes for a command wherever it
// stands in a line, "##[…]".
func Quote(s string) string {
	return strings.ReplaceAll(strconv.Quote(s), "##[", `#\x23[`)
}

// OneLine makes s fit on one line of a log: it escapes control characters, and
// what GitHub's runner takes for a command wherever it stands in a line: "##[…]".
func OneLine(s string) string {
	s = strings.ReplaceAll(s, "##[", `#\x23[`)
	if !strings.ContainsFunc(s, isControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isControl(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }
