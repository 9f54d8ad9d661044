package realise

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"cachekey/internal/disk"
	"cachekey/internal/dotsame"
	"cachekey/internal/nixenv"
)

// look says whether there is a Nix to ask.
func (r *realising) look() error {
	if _, err := exec.LookPath(r.o.nixStore); err != nil {
		return errors.New("there is no Nix here: no nix-store on PATH")
	}
	return nil
}

// realise has nix-store make paths exist.
func (r *realising) realise(ctx context.Context, paths []string, flags ...string) error {
	_, err := nixenv.RunProgram(ctx, r.o.Root, r.o.nixStore, slices.Concat([]string{"--realise"}, flags, paths)...)
	return err
}

// root makes the garbage collector's roots of the environments that are left, and removes
// those of others.
func (r *realising) root(ctx context.Context, dir *disk.Dir) error {
	local, err := dir.MakeDir(filepath.Base(dotsame.Local))
	if err != nil {
		return err
	}
	defer local.Close()
	roots, err := local.MakeDir(filepath.Base(dotsame.GCRoots))
	if err != nil {
		return err
	}
	defer roots.Close()
	wanted := map[string][]string{}
	for _, e := range r.all {
		paths := append(wanted[e.id], e.paths...)
		slices.Sort(paths)
		wanted[e.id] = slices.Compact(paths)
	}
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
	if r.look() != nil {
		return nil
	}
	for _, e := range r.all {
		paths := wanted[e.id]
		if len(paths) == 0 || slices.Equal(r.rooted(e.id), paths) {
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
			r.o.Warnf("nix may collect what the environment %s needs: %v", e.id, err)
		}
	}
	return nil
}

// rooted gives the store paths that the roots of an environment lead to, sorted.
func (r *realising) rooted(id string) []string {
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
