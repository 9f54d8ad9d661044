package main

import (
	"fmt"

	"cachekey/bench/internal/tree"
)

// The trees that are measured. The targets are about the second.
var specs = []tree.Spec{
	{Name: "1k", Files: 1000, Bytes: 16_000_000},
	{Name: "15k", Files: 15_000, Bytes: 250_000_000},
	{Name: "15k-untracked", Files: 15_000, Bytes: 250_000_000, Untracked: 200_000},
	{Name: "100k", Files: 100_000, Bytes: 500_000_000},
}

// quickSpecs are small: they show that the benchmark works.
var quickSpecs = []tree.Spec{
	{Name: "quick", Files: 300, Bytes: 2_000_000},
	{Name: "quick-untracked", Files: 300, Bytes: 2_000_000, Untracked: 400},
}

func title(s tree.Spec) string {
	text := fmt.Sprintf("%s files, %d MB", thousands(s.Files), s.Bytes/1_000_000)
	if s.Untracked > 0 {
		text += fmt.Sprintf(", and %s that git does not track", thousands(s.Untracked))
	}
	return text
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
