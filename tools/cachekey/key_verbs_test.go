package main

import (
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// changed is the verb "changed [head] [locks] [tasks] [tree]", or "changed nothing".
// It computes the key, and checks which of its segments differ from those of the key
// that the verb computed last. The arguments after -- are flags of cachekey.
func changed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("changed nothing | SEGMENT… [-- FLAG…]")
	}
	var flags []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, flags = args[:i], args[i+1:]
	}
	ts.Check(ts.Exec("cachekey", flags...))
	now := ts.ReadFile("stdout")
	memory := ts.Getenv("WORK") + "/.last-key"
	last, err := os.ReadFile(memory)
	ts.Check(os.WriteFile(memory, []byte(now), 0o644))
	if err != nil {
		if !slices.Equal(args, []string{"all"}) {
			ts.Fatalf("the first key: all of it is new")
		}
		return
	}
	before, after := segments(ts, string(last)), segments(ts, now)
	var got []string
	for i, name := range []string{"head", "locks", "tasks", "tree"} {
		if before[i] != after[i] {
			got = append(got, name)
		}
	}
	if len(got) == 0 {
		got = []string{"nothing"}
	}
	if !slices.Equal(got, args) {
		ts.Fatalf("changed %q, not %q:\n%s%s", got, args, last, now)
	}
}

// segments splits a key from the right, as docs/key-format.md says: 52 characters of
// tree, 32 of tasks, 32 of locks, and the rest.
func segments(ts *testscript.TestScript, line string) [4]string {
	key, ok := strings.CutSuffix(line, "\n")
	n := len(key) - (1 + 52) - (1 + 32) - (1 + 32)
	if !ok || n <= 0 || strings.ContainsAny(key, " \n") {
		ts.Fatalf("not a key and a newline: %q", line)
	}
	cut := func(from, to int) string {
		if key[from] != '-' {
			ts.Fatalf("no - before a segment: %q", key)
		}
		return key[from+1 : to]
	}
	return [4]string{key[:n], cut(n, n+33), cut(n+33, n+66), cut(n+66, len(key))}
}
