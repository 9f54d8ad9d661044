package main

import (
	"fmt"
	"maps"
	"slices"
)

// count is "1 file", "2 files".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
