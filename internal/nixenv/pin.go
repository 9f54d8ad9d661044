package nixenv

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
)

// Pin returns the environment file for tools whose packages are known (alias → store
// path). Its PATH has the bin of each package, in order of the aliases, then those of
// extra: the packages that every shell of Nix has (coreutils, bash). Tools with such
// a file resolve to its packages, without network or Nix, and the store paths are
// part of the input hash of a task.
func Pin(system string, packages map[string]string, extra []string) ([]byte, error) {
	var paths []string
	for _, alias := range slices.Sorted(maps.Keys(packages)) {
		if err := checkPackage(packages[alias]); err != nil {
			return nil, fmt.Errorf("package %q: %w", alias, err)
		}
		paths = append(paths, packages[alias]+"/bin")
	}
	for _, p := range extra {
		if err := checkPackage(p); err != nil {
			return nil, err
		}
		paths = append(paths, p+"/bin")
	}
	e := pinnedEnvironment(system, paths)
	for _, v := range e.Variables {
		if name, value, _ := strings.Cut(v, "="); checkVariable(name, value) != nil {
			return nil, checkVariable(name, value)
		}
	}
	return e.encode()
}

// checkPackage returns an error if p is not a store path, or exists without a bin.
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

// Fits reports whether the name of a package's store path has the version of spec.
// It returns true for a spec without a version.
func Fits(spec, storePath string) bool {
	_, version, ok := strings.Cut(spec, "@")
	if !ok || strings.Contains(spec, "#") || version == "latest" {
		return true
	}
	name := path.Base(storePath) + "-"
	return strings.Contains(name, "-"+version+"-") || strings.Contains(name, "-"+version+".")
}

var environmentFile = regexp.MustCompile(`^[0-9a-f]{64}\.json$`)

// Adopt copies the environment files in from, a directory that `same env` wrote, into
// the workspace at root. It does not rewrite equal files, and removes those that an
// earlier call has copied and that are not in from any more. It returns the names of
// the files that it changed.
func Adopt(root, from string) (changed []string, err error) {
	dir := dotsame.Open(root)
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
		data, err := disk.ReadFile(filepath.Join(from, name), MaxEnvironment)
		if err == nil {
			_, err = ParseEnvironment(data)
		}
		if err != nil {
			return changed, fmt.Errorf("%s: %w", filepath.Join(from, name), err)
		}
		names[name] = true
		file := path.Join(dotsame.Environments, name)
		if had, err := dir.ReadFile(file, MaxEnvironment); err == nil && string(had) == string(data) {
			continue
		}
		if err := dir.WriteFile(file, data); err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	had, err := os.ReadDir(dir.Path(dotsame.Environments))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return changed, err
	}
	for _, entry := range had {
		file := path.Join(dotsame.Environments, entry.Name())
		if names[entry.Name()] || !environmentFile.MatchString(entry.Name()) {
			continue
		}
		data, err := dir.ReadFile(file, MaxEnvironment)
		if err != nil {
			continue // unreadable, so nothing uses it
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
