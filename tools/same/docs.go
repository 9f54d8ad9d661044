//go:build docs

package main

import "cachekey/docs/reference"

// This main writes the documentation of the program instead of running it.
func main() { reference.Main(program) }
