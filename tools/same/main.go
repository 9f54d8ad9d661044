//go:build !docs

package main

import "cachekey/internal/cli"

//go:generate sh -c "go run -tags docs . page >../../docs/same.md"

func main() { cli.Main(program) }
