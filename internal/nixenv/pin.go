package nixenv

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"cachekey/internal/digest"
)

// Pin gives the environment file for tools whose packages are known (alias →
// store path): its PATH has the bin of each, in order of the aliases, then those
// of behind, which a shell of Nix has besides its packages (coreutils, bash).
// Where such a file is, the packages are what the tools resolve to: no network
// and no Nix is needed, and a task's input hash counts the store paths.
func Pin(system string, packages map[string]string, behind []string) ([]byte, error) {
	parts := digest.NewParts("cachekey same-v1 packages")
	var paths []string
	for _, alias := range slices.Sorted(maps.Keys(packages)) {
		if err := checkPackage(packages[alias]); err != nil {
			return nil, fmt.Errorf("package %q: %w", alias, err)
		}
		parts.Add('p', alias, packages[alias])
		paths = append(paths, packages[alias]+"/bin")
	}
	for _, p := range behind {
		if err := checkPackage(p); err != nil {
			return nil, err
		}
		parts.Add('b', p)
		paths = append(paths, p+"/bin")
	}
	e, err := newEnvironment([]string{
		"GOTOOLCHAIN=local",
		"PATH=" + strings.Join(paths, ":"),
		"system=" + system,
		ofResolution + "=" + pinnedPrefix + parts.Sum().String(),
	})
	if err != nil {
		return nil, err
	}
	return e.encode()
}

// checkPackage refuses what has no bin, as far as can be seen.
func checkPackage(p string) error {
	if !storePath.MatchString(p) || path.Clean(p) != p {
		return fmt.Errorf("%q is not a store path", p)
	}
	if _, err := os.Stat(p); err == nil {
		if _, err := os.Stat(p + "/bin"); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s has no bin", p)
		}
	}
	return nil
}

// Fits says whether a package's store path looks like the version that a spec
// asks for; a spec that names none fits anything.
func Fits(spec, storePath string) bool {
	_, version, ok := strings.Cut(spec, "@")
	if !ok || strings.Contains(spec, "#") || version == "latest" {
		return true
	}
	name := path.Base(storePath) + "-"
	return strings.Contains(name, "-"+version+"-") || strings.Contains(name, "-"+version+".")
}
