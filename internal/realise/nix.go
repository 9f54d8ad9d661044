package realise

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/nixenv"
)

// findNix returns an error if there is no nix-store.
func (r *realiser) findNix() error {
	if _, err := exec.LookPath(r.nixStore); err != nil {
		return errors.New("nix-store is not on PATH")
	}
	return nil
}

// realise calls nix-store to make paths exist.
func (r *realiser) realise(ctx context.Context, paths []string, flags ...string) error {
	_, err := nixenv.RunProgram(ctx, r.Root, r.nixStore, slices.Concat([]string{"--realise"}, flags, paths)...)
	return err
}

// exists reports whether a store path exists.
func (r *realiser) exists(p string) bool {
	_, err := os.Lstat(filepath.Join(r.store, path.Base(p)))
	return err == nil
}

// missing returns the paths of e that do not exist.
func (r *realiser) missing(e *environment) []string {
	return slices.DeleteFunc(slices.Clone(e.paths), r.exists)
}

// root creates roots for the garbage collector, which keep it from collecting the
// paths of the environments that were not dropped. It removes all other roots.
func (r *realiser) root(ctx context.Context, dir *disk.Dir) error {
	wanted := map[string][]string{} // id → paths
	for _, e := range r.all {
		if e.problem == "" {
			paths := append(wanted[e.id], e.paths...)
			slices.Sort(paths)
			wanted[e.id] = slices.Compact(paths)
		}
	}
	reach := dir.Reach
	if len(wanted) > 0 {
		reach = dir.ReachMaking
	}
	roots, err := reach(dotsame.Rel(dotsame.GCRoots))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer roots.Close()
	items, err := roots.List()
	if err != nil {
		return err
	}
	for _, it := range items {
		if wanted[it.Name] != nil {
			continue
		}
		if _, err := roots.Remove(it.Name); err != nil {
			return err
		}
	}
	if r.findNix() != nil {
		return nil
	}
	for _, e := range r.all {
		paths := wanted[e.id]
		if e.problem != "" || len(paths) == 0 || slices.Equal(r.rooted(e.id), paths) {
			continue
		}
		if _, err := roots.Remove(e.id); err != nil {
			return err
		}
		at, err := roots.MakeDir(e.id)
		if err != nil {
			return err
		}
		at.Close()
		link := filepath.Join(r.same.Path(dotsame.GCRoots), e.id, "root")
		if err := r.realise(ctx, paths, "--add-root", link, "--indirect"); err != nil {
			r.Warnf("nix may collect what the environment %s needs: %v", e.id, err)
		}
	}
	return nil
}

// rooted returns the store paths that the roots of an environment point to, sorted.
func (r *realiser) rooted(id string) []string {
	links, _ := filepath.Glob(filepath.Join(r.same.Path(dotsame.GCRoots), id, "root*"))
	var paths []string
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil {
			paths = append(paths, to)
		}
	}
	slices.Sort(paths)
	return paths
}
