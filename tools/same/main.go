// Command same runs the tasks of same.yaml and skips those whose inputs have
// not changed.
package main

//go:generate sh -c "go run . help --markdown >../../docs/same.md"

import (
	"slices"

	"cachekey/internal/cli"
	"cachekey/internal/manifest"
)

func main() { cli.Main(program()) }

func program() *cli.Program {
	return &cli.Program{
		Name:  "same",
		Short: "runs the tasks of same.yaml and skips what has not changed",
		Guess: taskFor,
		Commands: []*cli.Command{
			runCommand(),
			planCommand(),
			cleanCommand(),
			envCommand(),
		},
	}
}

// taskFor guesses that whoever typed the name of a task wants to run it.
func taskFor(word string) string {
	if slices.Contains(taskNames(), word) {
		return "run " + word
	}
	return ""
}

// taskNames gives what run and plan take, as far as the manifests can be read.
func taskNames() []string {
	w, err := manifest.Load(".")
	if err != nil {
		return nil
	}
	names := []string{"all"}
	for _, t := range w.Tasks {
		names = append(names, t.Name)
	}
	return names
}
