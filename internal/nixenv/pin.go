package nixenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"cachekey/internal/digest"
	"cachekey/internal/samedir"
)

// Pin gives the environment file for tools whose packages are known (alias →
// store path): its PATH has the bin of each, in order of the aliases, then those
// of behind, which a shell of Nix has besides its packages (coreutils, bash).
// Where such a file is, the packages are what the tools resolve to: no network
// and no Nix is needed, and a task's input hash counts the store paths.
func Pin(system string, packages map[string]string, behind []string) ([]byte, error) {
	parts := digest.NewParts("cachekey same-v1 packages")
	var paths []string
	for _, alias := range sortedKeys(packages) {
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

var environmentFile = regexp.MustCompile(`^[0-9a-f]{64}\.json$`)

// Adopt makes the environments in from, a directory that `same env` wrote, those
// of the workspace at root. What is there already is not written again, and what
// an earlier from brought and this one has not is removed. It gives the names of
// the files that it changed.
func Adopt(root, from string) (changed []string, err error) {
	dir := samedir.Open(root)
	names := map[string]bool{}
	entries, err := os.ReadDir(from)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !environmentFile.MatchString(name) {
			continue
		}
		data, err := samedir.Open(from).ReadFile(name, maxEnvironment)
		if err == nil {
			_, err = ParseEnvironment(data)
		}
		if err != nil {
			return changed, fmt.Errorf("%s: %w", filepath.Join(from, name), err)
		}
		names[name] = true
		file := path.Join(samedir.Environments, name)
		if had, err := dir.ReadFile(file, maxEnvironment); err == nil && string(had) == string(data) {
			continue
		}
		if err := dir.WriteFile(file, data); err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	had, err := os.ReadDir(dir.Path(samedir.Environments))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return changed, err
	}
	for _, entry := range had {
		file := path.Join(samedir.Environments, entry.Name())
		if names[entry.Name()] || !environmentFile.MatchString(entry.Name()) {
			continue
		}
		data, err := dir.ReadFile(file, maxEnvironment)
		if err != nil {
			continue // not ours to judge here: nothing reads what cannot be read
		}
		if e, err := ParseEnvironment(data); err != nil || e.pinned() == "" {
			continue
		}
		if err := dir.Remove(file); err != nil {
			return changed, err
		}
		changed = append(changed, entry.Name())
	}
	return changed, nil
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
