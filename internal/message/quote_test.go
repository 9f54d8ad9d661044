package message

import (
	"testing"
	"time"
)

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                               "0.0s",
		1249 * time.Millisecond:         "1.2s",
		59949 * time.Millisecond:        "59.9s",
		59951 * time.Millisecond:        "1m00s",
		185 * time.Second:               "3m05s",
		59*time.Minute + 59*time.Second: "59m59s",
		3599600 * time.Millisecond:      "1h00m",
		62 * time.Minute:                "1h02m",
	} {
		if got := Seconds(d); got != want {
			t.Errorf("%d ns: %s, want %s", d, got, want)
		}
	}
}

func TestName(t *testing.T) {
	for s, want := range map[string]string{
		"a/b c.go":        "a/b c.go",
		"é":               "é",
		"":                "",
		"a\nb":            `"a\nb"`,
		"a\xff":           `"a\xff"`,
		`a"b`:             `"a\"b"`,
		"##[error]fooled": `"#\x23[error]fooled"`,
	} {
		if got := Name(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}
