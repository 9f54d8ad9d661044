package prune

import (
	"path"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/manifest"
)

// toolFiles gives what is remembered of a set of tools (alias → spec): its
// environment, also where old versions of the existing same have it, and the
// resolutions of its tools.
func toolFiles(tools map[string]string) []string {
	env := dotsame.EnvironmentPath(tools)
	files := []string{env, path.Join(dotsame.OldEnvironments, path.Base(env))}
	for _, text := range tools {
		if spec, err := manifest.ParseSpec(text); err == nil && spec.Package != "" {
			files = append(files, dotsame.NixhubPath(spec.Package, spec.Version))
		}
	}
	return files
}

// cacheDirs are the directories of .same/cache that something is kept in.
var cacheDirs = map[string]bool{
	relative(dotsame.Environments):    true,
	relative(dotsame.OldEnvironments): true,
	relative(dotsame.Nixhub):          true,
}

// cache prunes an entry at any depth of .same/cache.
func (p *pruning) cache(dir *disk.Dir, it disk.Item, path string) error {
	switch {
	case it.Kind == disk.Directory && cacheDirs[path]:
		return p.in(dir, path, p.cache)
	case it.Kind != disk.File:
		return p.remove(dir, it.Name, path, "it is "+it.Kind.String())
	case !p.keep[path]:
		return p.remove(dir, it.Name, path, "no task of this workspace asks for these tools")
	}
	info, err := dir.Lstat(it.Name)
	if err != nil {
		return err
	}
	p.kept(info)
	return nil
}

// local prunes an entry of .same/local: temporary files, and what keeps Nix from
// collecting environments that no task has.
func (p *pruning) local(dir *disk.Dir, it disk.Item, path string) error {
	switch {
	case path == relative(dotsame.Temp) && it.Kind == disk.Directory:
		return p.in(dir, path, func(tmp *disk.Dir, it disk.Item, path string) error {
			return p.remove(tmp, it.Name, path, "it is a temporary file")
		})
	case path == relative(dotsame.Temp) || strings.HasSuffix(it.Name, ".tmp"):
		return p.remove(dir, it.Name, path, "it is a temporary file")
	case it.Kind == disk.Directory && (it.Name == "environments" || it.Name == "gcroots"):
		return p.in(dir, path, p.root)
	}
	return nil
}

// root prunes a garbage collector's root, named after its environment.
func (p *pruning) root(dir *disk.Dir, it disk.Item, path string) error {
	id := it.Name
	if i := strings.IndexAny(id, ".-"); i >= 0 {
		id = id[:i]
	}
	if p.keep[relative(dotsame.Environments)+"/"+id+".json"] {
		return nil
	}
	return p.remove(dir, it.Name, path, "its environment is of no task of this workspace")
}
