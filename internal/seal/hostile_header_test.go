package seal

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestHostileHeaderTakesNoMemory reads seals whose first line would take far more
// memory than its text, once decoded. With wrong sums it must not be decoded at all.
func TestHostileHeaderTakesNoMemory(t *testing.T) {
	for name, doc := range map[string]string{
		"zeros":       `{"ingredients":[` + strings.Repeat("0,", 2<<20) + `0]}`,
		"files":       `{"ingredients":[{"name":"locks","files":[` + strings.Repeat("{},", 2<<20) + `{}]}]}`,
		"short files": `{"ingredients":[{"name":"locks","files":[` + strings.Repeat(`{"a":"bbbbbbbbbbbbb"},`, 1<<19) + `{}]}]}`,
		"ingredients": `{"ingredients":[` + strings.Repeat(`{"name":"aaaaaaaaaaa"},`, 1<<19) + `{}]}`,
		"untracked":   `{"untracked":[` + strings.Repeat(`{"path":"aaaaaaaaaaa"},`, 1<<19) + `{}]}`,
		"extras":      `{"extra":{` + numbered(1<<20) + `"":""}}`,
		"keys":        `{"restoreKeys":[` + strings.Repeat(`"",`, 2<<20) + `""]}`,
	} {
		for _, sums := range []string{"right", "wrong"} {
			t.Run(name+", sums "+sums, func(t *testing.T) {
				k := newSums(nil)
				text := headStart + doc + headEnd + listEnd
				k.write([]byte(text))
				sum := sumOf(k.plain).String()
				if sums == "wrong" {
					sum = strings.Repeat("0", 64)
				}
				data := []byte(text + `"digest":"` + sum + "\"}\n")
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				r, err := NewReader(bytes.NewReader(data), nil)
				if err == nil {
					err = r.Check()
				}
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Error("it was accepted")
				}
				// The line is read into a buffer that grows; decoded, it takes 10 times as much.
				if took := after.TotalAlloc - before.TotalAlloc; took > 8*uint64(len(data)) {
					t.Errorf("allocated %d bytes for a seal of %d", took, len(data))
				}
			})
		}
	}
}

// numbered returns the text of n members of an object.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%x":"",`, i)
	}
	return b.String()
}
