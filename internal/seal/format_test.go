package seal

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"cachekey/internal/digest"
)

// TestReaderRefuses reads seals with the right digest but invalid entries.
func TestReaderRefuses(t *testing.T) {
	doc, err := json.Marshal(here)
	if err != nil {
		t.Fatal(err)
	}
	read := func(entries string) error {
		above := `{"seal":"v2","key":` + string(doc) + `,"entries":[` + "\n" + entries + "],\n"
		r, err := NewReader(strings.NewReader(above+`"digest":"`+digest.Of([]byte(above)).String()+"\"}\n"), nil)
		for err == nil {
			_, err = r.Next()
		}
		return err
	}
	d := func(path string) string { return `{"path":"` + path + `","type":"d"}` }
	f := func(path, size string) string {
		return `{"path":"` + path + `","type":"f","size":` + size + `,"digest":"` + digest.Of(nil).String() + `"}`
	}
	lines := func(l ...string) string { return strings.Join(l, ",\n") + "\n" }
	if err := read(lines(d("cache"), d("store"), d("store/a"), f("store/a/b", "0"), f("store/a.b", "0"))); err != io.EOF {
		t.Fatalf("a valid seal: %v", err)
	}
	if err := read(""); err != io.EOF {
		t.Fatalf("an empty seal: %v", err)
	}
	for name, entries := range map[string]string{
		"a root that is a file":        lines(f("store", "0")),
		"another root":                 lines(d("local")),
		"a root of the same beginning": lines(d("stores")),
		"the way up":                   lines(d("store"), d("store/..")),
		"the way to itself":            lines(d("store"), f("store/.", "0")),
		"no name":                      lines(d("store"), f("store/", "0")),
		"from the top":                 lines(f("/etc/passwd", "0")),
		"in no directory":              lines(d("store"), f("store/a/b", "0")),
		"in a file":                    lines(d("store"), f("store/a", "0"), f("store/a/b", "0")),
		"out of order":                 lines(d("store"), f("store/b", "0"), f("store/a", "0")),
		"in the order of whole paths":  lines(d("store"), d("store/a"), f("store/a.b", "0"), f("store/a/b", "0")),
		"twice":                        lines(d("store"), f("store/a", "0"), f("store/a", "0")),
		"an escape":                    lines(d("store"), f(`store/\u0061`, "0")),
		"a quote":                      lines(d("store"), f(`store/"`, "0")),
		"a control character":          lines(d("store"), f("store/\x1b", "0")),
		"not UTF-8":                    lines(d("store"), f("store/\xff", "0")),
		"a direction mark":             lines(d("store"), f("store/\u202e", "0")),
		"a long name":                  lines(d("store"), f("store/"+strings.Repeat("n", 256), "0")),
		"a deep one":                   lines(d("store"), f("store"+strings.Repeat("/n", 600), "0")),
		"a negative size":              lines(d("store"), f("store/a", "-1")),
		"a size with a leading zero":   lines(d("store"), f("store/a", "01")),
		"a size of 65 GiB":             lines(d("store"), f("store/a", "69793218560")),
		"a size beyond numbers":        lines(d("store"), f("store/a", "99999999999999999999")),
		"an extra comma":               strings.Replace(lines(d("store")), "\n", ",\n", 1),
		"a missing comma":              d("cache") + "\n" + d("store") + "\n",
		"a space":                      " " + lines(d("store")),
		"another type":                 lines(`{"path":"store","type":"l"}`),
		"an extra field":               lines(`{"path":"store","type":"d","x":1}`),
		"an empty line":                "\n" + lines(d("store")),
		"a line without end":           d("store") + strings.Repeat(" ", 1<<17),
	} {
		if err := read(entries); err == nil || err == io.EOF {
			t.Errorf("%s was accepted", name)
		}
	}
	var total []string
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		total = append(total, f("store/"+n, "68719476736")) // 64 GiB each
	}
	if err := read(lines(append([]string{d("store")}, total...)...)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("more than 256 GiB: %v", err)
	}
	if _, err := NewReader(bytes.NewReader(append([]byte(`{"seal":"v2","key":`), bytes.Repeat([]byte(" "), maxHeader+1000)...)), nil); err == nil {
		t.Error("an endless first line was accepted")
	}
}
