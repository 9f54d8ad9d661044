// Command same runs the tasks of same.yaml and skips those whose inputs have
// not changed.
package main

//go:generate sh -c "go run . help --markdown >../../docs/same.md"

import "cachekey/internal/cli"

func main() { cli.Main(program()) }

func program() *cli.Program {
	return &cli.Program{
		Name:  "same",
		Short: "runs the tasks of same.yaml and skips what has not changed",
		Commands: []*cli.Command{
			runCommand(),
			planCommand(),
			cleanCommand(),
			envCommand(),
		},
	}
}
