package realise

import (
	"regexp"
	"slices"
	"strings"

	"github.com/nix-community/go-nix/pkg/nixbase32"
	"github.com/nix-community/go-nix/pkg/storepath"
)

// maxName is how long the name of a store path may be: Nix's StorePath::MaxPathLen.
const maxName = 211

var inText = regexp.MustCompile(regexp.QuoteMeta(storepath.StoreDir) + `/[` + nixbase32.Alphabet + `]{32}-[a-zA-Z0-9+_?=-][a-zA-Z0-9+._?=-]*`)

// storePaths gives the store paths that variables ("KEY=VALUE") name, sorted,
// each once. Those of the shell itself are left out: what its derivation would
// make if it were built, which it never is. Variables with the names of its outputs ("out") say where
// that would lie, and flags for the linker repeat it.
func storePaths(variables []string) []string {
	value := map[string]string{}
	for _, v := range variables {
		name, text, _ := strings.Cut(v, "=")
		value[name] = text
	}
	own := map[string]bool{}
	outputs := strings.Fields(value["outputs"])
	if len(outputs) == 0 {
		outputs = []string{"out"}
	}
	for _, o := range outputs {
		own[value[o]] = true
	}
	var paths []string
	for _, text := range value {
		for _, p := range inText.FindAllString(text, -1) {
			if sp, err := storepath.FromAbsolutePath(p); err == nil && len(sp.Name) <= maxName && !own[p] {
				paths = append(paths, p)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
