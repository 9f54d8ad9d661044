package workflow

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestHarnessCache checks that the harness distinguishes a miss, an exact hit and
// a prefix hit.
func TestHarnessCache(t *testing.T) {
	origin := t.TempDir()
	toy, err := os.ReadFile("testdata/toy.yml")
	must(t, err)
	commit(t, origin, "toy", map[string]string{
		".github/workflows/ci.yml": string(toy),
		"key":                      "toy-a-1",
	})
	h := newHub(t, origin, "actions/checkout@"+strings.Repeat("1", 40), "actions/cache@"+strings.Repeat("2", 40))

	found := func(r *run) string { return strings.TrimSpace(r.output("toy", "Found")) }
	first := h.run(t, event{})
	if got := found(first); got != "hit= content=" {
		t.Errorf("first run: %q, want a miss", got)
	}
	if got := h.keys(t); !slices.Equal(got, []string{"toy-a-1"}) {
		t.Errorf("after the first run the entries are %q", got)
	}
	if _, files := h.unpacked(t, h.entries(t)[0]); !slices.Equal(files, []string{"carried/content"}) {
		t.Errorf("the entry holds %q", files)
	}

	second := h.run(t, event{})
	if got := found(second); got != "hit=true content=toy-a-1" {
		t.Errorf("second run: %q, want an exact hit", got)
	}
	if got := h.keys(t); len(got) != 1 {
		t.Errorf("an exact hit was saved again: %q", got)
	}
	if a, b := first.workspace(), second.workspace(); a == b || a == "" {
		t.Errorf("both runs were in %q", a)
	}

	commit(t, origin, "another", map[string]string{"key": "toy-a-2"})
	if got := found(h.run(t, event{})); got != "hit=false content=toy-a-1" {
		t.Errorf("third run: %q, want a prefix hit", got)
	}
	commit(t, origin, "foreign", map[string]string{"key": "toy-b-1"})
	if got := found(h.run(t, event{})); got != "hit= content=" {
		t.Errorf("fourth run: %q, want a miss", got)
	}
	if got := h.keys(t); !slices.Equal(got, []string{"toy-a-1", "toy-a-2", "toy-b-1"}) {
		t.Errorf("in the end the entries are %q", got)
	}

	commit(t, origin, "red", map[string]string{"key": "toy-c-1", "fail": ""})
	red := h.run(t, event{})
	if red.jobs["toy"] != "failure" {
		t.Errorf("the failing job ended as %q", red.jobs["toy"])
	}
	if got := h.keys(t); len(got) != 3 {
		t.Errorf("a red job was saved: %q", got)
	}
}
