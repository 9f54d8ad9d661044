package message

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Seconds formats the duration of a build: 0.4s, 12.0s, 3m05s, 1h02m.
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

// Elapsed formats the duration of a build that is still running: as Seconds does,
// without tenths.
func Elapsed(d time.Duration) string {
	return strings.Replace(Seconds(d.Truncate(time.Second)), ".0s", "s", 1)
}

// Name returns a name as it is, or quoted if it is not safe for one line of a log.
func Name(s string) string {
	if q := Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// Quote quotes s for one line of a log. It escapes characters that do not print,
// and "##[", which begins a command of GitHub's runner anywhere in a line.
func Quote(s string) string {
	return strings.ReplaceAll(strconv.Quote(s), "##[", `#\x23[`)
}

// OneLine makes s fit on one line of a log. It escapes control characters, and
// "##[", which begins a command of GitHub's runner anywhere in a line.
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
