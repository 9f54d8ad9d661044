// Command cachekey says which remembered state of `same` fits a checkout, and
// makes that state safe to restore and small to save.
package main

//go:generate sh -c "go run . help --markdown >../../docs/cachekey.md"

import "cachekey/internal/cli"

func main() { cli.Main(program()) }

func program() *cli.Program {
	return &cli.Program{
		Name:    "cachekey",
		Short:   "says which remembered state of same fits a checkout, for CI",
		Default: "key",
		Commands: []*cli.Command{
			keyCommand(),
			explainCommand(),
			diffCommand(),
			narHashCommand(),
			verifyCommand(),
			realiseCommand(),
			hitsCommand(),
			pruneCommand(),
			sealCommand(),
		},
	}
}
