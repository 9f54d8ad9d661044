package nixenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"cachekey/internal/dotsame"
)

var environmentFile = regexp.MustCompile(`^[0-9a-f]{64}\.json$`)

// Adopt makes the environments in from, a directory that `same env` wrote, those
// of the workspace at root. What is there already is not written again, and what
// an earlier from brought and this one has not is removed. It gives the names of
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
		data, err := dotsame.Open(from).ReadFile(name, MaxEnvironment)
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
