package disk

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDecodeJSONRefuses(t *testing.T) {
	many := func(element string) string { return "[" + strings.Repeat(element+",", 100_000) + element + "]" }
	for name, text := range map[string]string{
		"zeros":           many("0"),
		"nulls":           many("null"),
		"empty objects":   many("{}"),
		"empty lists":     many("[]"),
		"empty strings":   many(`""`),
		"objects in one":  many(`{"a":{}}`),
		"spaced zeros":    many("0" + strings.Repeat(" ", 50)),
		"lists in lists":  many(many("0")[:5000] + "]"),
		"members":         "{" + strings.Repeat(`"":0,`, 100_000) + `"":0}`,
		"depth":           strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"an endless list": strings.Repeat("[", 1<<20),
		"a long string":   `"` + strings.Repeat("a", 1<<20) + `"`,
		"an open string":  `"` + strings.Repeat("a", 1<<20),
		"escapes":         `"` + strings.Repeat(`\"`, 1<<20) + `"`,
		"a long number":   strings.Repeat("1", 1<<20),
		"a long fraction": "[0." + strings.Repeat("1", 1<<20) + "]",
		"not UTF-8":       "\"\xff\"",
		"not JSON":        "{",
		"closed too much": "]]]]",
	} {
		var v any
		if err := DecodeJSON([]byte(text), &v); err == nil || len(err.Error()) > 400 {
			t.Errorf("%s: got %.500v, want a short error", name, err)
		}
	}
	var times struct{ At int }
	if err := DecodeJSON([]byte(`{"At":"`+strings.Repeat("a", 60_000)+`"}`), &times); err == nil || len(err.Error()) > 400 {
		t.Errorf("got %.500v, want a short error", err)
	}
}

func TestDecodeJSONAccepts(t *testing.T) {
	many := func(element string) string { return "[" + strings.Repeat(element+",\n ", 100_000) + element + "]" }
	for name, text := range map[string]string{
		"a number":      "1",
		"few zeros":     "[" + strings.Repeat("0,", 4000) + "0]",
		"empty":         `{"a":[],"b":{}}`,
		"a file":        many(`{"path":"a","type":"f","digest":"` + strings.Repeat("0", 32) + `"}`),
		"a directory":   many(`{"path": "d", "type": "dir", "mode": "0755"}`),
		"a cached task": many(`{"task":"a","state":"cached","reasons":[]}`),
		"a new task":    many(`{"task":"a","state":"run","reasons":[{"kind":"never-built"}]}`),
		"quotes":        `"\"[[[[\\"`,
	} {
		var v any
		if err := DecodeJSON([]byte(text), &v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := DecodeJSONList[int]([]byte("[1, 2,3]"), 80)
	if err != nil || len(list) != 3 || cap(list) != 3 || list[2] != 3 {
		t.Errorf("got %v of capacity %d, %v", list, cap(list), err)
	}
}

// A path of any bytes has one spelling, and a spelling one path: what key --json
// writes is what diff and seal read.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"", "a", "é/x", "\xff", `\`, `\xff`, "a\xffb\\", "\xe9\xa9", "\uFFFD", "new\nline", `\\x41`, `\x41`, `\xFF`, `\x`} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		text, err := json.Marshal(Path(p))
		if err != nil {
			t.Fatal(err)
		}
		var again Path
		if err := json.Unmarshal(text, &again); err != nil || again != Path(p) {
			t.Errorf("%q is written %s, and read %q, %v", p, text, again, err)
		}
		var read Path // p as the spelling of another path
		if read.UnmarshalText([]byte(p)) == nil {
			if spelled, _ := read.MarshalText(); string(spelled) != p {
				t.Errorf("%q is read as %q, which is written %q", p, read, spelled)
			}
		}
	})
}
