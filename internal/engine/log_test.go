package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"cachekey/internal/dotsame"
)

// TestMask checks a mask against strings.NewReplacer on the whole text, however the text
// is cut into writes.
func TestMask(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		word := func(max int) string {
			b := make([]byte, r.IntN(max))
			for i := range b {
				b[i] = "ab"[r.IntN(2)]
			}
			return string(b)
		}
		var secrets []string
		for range 1 + r.IntN(3) {
			secrets = append(secrets, "ab"[r.IntN(2):][:1]+word(6))
		}
		text := word(200)
		var got bytes.Buffer
		m := mask{to: func(p []byte) { got.Write(p) }, secrets: secrets}
		for rest := text; len(rest) > 0; {
			n := 1 + r.IntN(min(9, len(rest)))
			m.write([]byte(rest[:n]))
			rest = rest[n:]
		}
		m.flush()
		if want := replaceLongest(text, secrets); got.String() != want {
			t.Fatalf("seed %d: %q in %q: got %q, want %q", seed, secrets, text, got.String(), want)
		}
	}
}

// replaceLongest replaces the longest of the secrets at each position, from the left.
func replaceLongest(text string, secrets []string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		longest := 0
		for _, s := range secrets {
			if len(s) > longest && strings.HasPrefix(text[i:], s) {
				longest = len(s)
			}
		}
		if longest == 0 {
			b.WriteByte(text[i])
			i++
			continue
		}
		b.WriteString("***")
		i += longest
	}
	return b.String()
}

func TestSecretsAreLong(t *testing.T) {
	env := map[string]string{"A": "12345", "B": "123456", "EMPTY": ""}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	if got := secrets(lookup, []string{"A", "B", "EMPTY", "UNSET"}); len(got) != 1 || got[0] != "123456" {
		t.Errorf("got %q", got)
	}
}

// TestRecorder checks what is kept of outputs of many sizes against the bytes written.
func TestRecorder(t *testing.T) {
	const end = maxLogEnd
	dir := dotsame.Open(t.TempDir())
	for _, size := range []int{0, 1, 4096, 4097, 100_000, end, end + 1, 2*end - 1, 2 * end, 2*end + 1, 3*end + 7, 5*end + 12345} {
		all := make([]byte, size)
		for i := range all {
			all[i] = byte(i*7 + i>>8*13 + i>>16*31)
		}
		r := newRecorder(dir.Temp, nil)
		for rest := all; len(rest) > 0; {
			n := min(len(rest), 1+len(rest)*7919%70_000)
			if _, err := r.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		log, err := r.log(dir)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := all
		if left := size - 2*end; left > 0 {
			want = append(bytes.Clone(all[:end]), []byte(fmt.Sprintf("\n[%d bytes are not kept]\n", left))...)
			want = append(want, all[size-end:]...)
		}
		var got bytes.Buffer
		if err := dir.CopyLog(&got, log); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes: got %d bytes, want %d", size, got.Len(), len(want))
		}
		if inline := log.Digest.IsZero(); inline != (size <= dotsame.MaxLogText) {
			t.Errorf("%d bytes: in the result itself: %v", size, inline)
		}
	}
	if left, _ := os.ReadDir(dir.Path(dotsame.Temp)); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}
