package seal

import (
	"strconv"
	"strings"
)

// quote makes s safe for one line of a log: quoted, with everything escaped that
// does not print. GitHub's runner takes "##[…]" for a command wherever it
// stands in a line, so that is broken up too.
func quote(s string) string {
	return strings.ReplaceAll(strconv.Quote(s), "##[", `#\x23[`)
}
