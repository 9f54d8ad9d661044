package message

import "testing"

func TestNearest(t *testing.T) {
	candidates := []string{"key", "explain", "diff", "root", "dependsOn", "target", "input"}
	for name, want := range map[string]string{
		"kye":       "key", // two letters swapped are one mistake
		"ke":        "key",
		"exlpain":   "explain",
		"explane":   "explain",
		"depends":   "dependsOn",
		"dependson": "dependsOn",
		"targets":   "target",
		"ipnut":     "input",
		"foo":       "", // too far from root
		"x":         "",
		"":          "",
		"command":   "",
	} {
		if got := Nearest(name, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"ca", "abc", 3}, {"abcd", "acbd", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
