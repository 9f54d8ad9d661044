package digest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/zeebo/blake3"
)

// byHand computes the digest of a list of parts from the documentation of Add.
func byHand(context string, tag byte, fields ...string) (d Digest) {
	frame := []byte{tag, byte(len(fields)), 0, 0, 0, 0, 0, 0, 0}
	for _, f := range fields {
		frame = append(frame, byte(len(f)), byte(len(f)>>8), 0, 0, 0, 0, 0, 0)
		frame = append(frame, f...)
	}
	blake3.DeriveKey(context, frame, d[:])
	return d
}

// TestParts checks that a list does not affect the next one, although hashers are
// reused.
func TestParts(t *testing.T) {
	var lists sync.WaitGroup
	for i := range 8 {
		lists.Go(func() {
			context := fmt.Sprintf("cachekey test %d", i%2)
			for n := range 50 {
				long := fmt.Sprintf("%0*d", n*40, i)
				p := NewParts(context)
				p.Add('a', "x", long)
				if got, want := p.Sum(), byHand(context, 'a', "x", long); got != want {
					t.Errorf("%s, %d bytes: got %v, want %v", context, len(long), got, want)
				}
			}
		})
	}
	lists.Wait()
}

func TestText(t *testing.T) {
	// printf abc | b3sum
	const abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
	d := Of([]byte("abc"))
	if d.String() != abc {
		t.Errorf("Of(abc) = %v, want %s", d, abc)
	}
	if got, err := Parse(abc); got != d || err != nil {
		t.Errorf("Parse(%s) = %v, %v", abc, got, err)
	}
	for _, bad := range []string{"", abc[1:], abc + "0", "X" + abc[1:], "A" + abc[1:]} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q): no error", bad)
		}
	}
}
