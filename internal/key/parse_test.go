package key

import (
	"strings"
	"testing"
)

func TestParseKey(t *testing.T) {
	locks, tasks, tree := strings.Repeat("0", 32), strings.Repeat("1", 32), "1"+strings.Repeat("z", 51)
	whole := "my-own.pre-fix-v1-x86_64-linux-" + locks + "-" + tasks + "-" + tree
	got, err := ParseKey(whole)
	if err != nil || *got != (Segments{"my-own.pre-fix-v1-x86_64-linux", locks, tasks, tree}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{
		"", "-", tree, tasks + "-" + tree, locks + "-" + tasks + "-" + tree, // no head
		whole[:len(whole)-1], whole + "0", strings.TrimSuffix(whole, tree),
		strings.Replace(whole, "z", "e", 1), strings.ToUpper(whole), whole + "\n",
	} {
		if got, err := ParseKey(bad); err == nil {
			t.Errorf("ParseKey(%q) = %+v", bad, got)
		}
	}
}
