package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAlternativesAreBounded(t *testing.T) {
	for p, want := range map[string]int{
		"a":                                     1,
		"{a,b}":                                 2,
		"{a,b}{c,d,e}/x":                        6,
		"{a,{b,c}{d,e}}":                        5,
		`\{a,b}`:                                2,
		"[{]":                                   1,
		strings.Repeat("{*a*,*aa*,*aaa*}", 6):   729,
		strings.Repeat("{*a*,*aa*,*aaa*}", 7):   1001,
		strings.Repeat("{a,b}", 100_000):        1001,
		"{" + strings.Repeat("a,", 1000) + "a}": 1001,
		strings.Repeat("{", 1_000_000):          1,
	} {
		if got := alternatives(p); got != want {
			t.Errorf("%.40s: got %d, want %d", p, got, want)
		}
	}
	dir := t.TempDir()
	text := "version: \"1\"\ntasks:\n  a:\n    cmd: [\"true\"]\n    input: [\"" + strings.Repeat("{*a*,*aa*,*aaa*}", 8) + "b\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "same.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir)
	if err == nil || !strings.Contains(err.Error(), "same.yaml:5") || !strings.Contains(err.Error(), "has more than 1000 alternatives") {
		t.Errorf("got %v", err)
	}
}
