//go:build !docs

package main

import (
	"os"
	"runtime/debug"

	"cachekey/internal/cli"
)

//go:generate sh -c "go run -tags docs . page >../../docs/same.md"

func main() {
	if os.Getenv("GOGC") == "" {
		// A run without a task to run takes 5 % less time so: its heap is small, and the
		// default would collect it ten times.
		debug.SetGCPercent(200)
	}
	cli.Main(program)
}
