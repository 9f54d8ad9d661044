package realise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"cachekey/internal/safedir"
	"cachekey/internal/samedir"
)

// GCRoots holds, for each environment, a directory of links to what it names in
// the Nix store. Nix collects nothing that they lead to.
const GCRoots = samedir.Local + "/gcroots"

// look says whether there is a Nix to ask.
func (r *realising) look() error {
	if _, err := exec.LookPath(r.o.nixStore); err != nil {
		return errors.New("there is no Nix here: no nix-store on PATH")
	}
	return nil
}

// nix runs nix-store. The error has Nix's own last words.
func (r *realising) nix(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, r.o.nixStore, args...)
	cmd.Dir = r.o.Root
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	// What it starts must not outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	said := &tail{}
	cmd.Stderr = said
	err := cmd.Run()
	if err != nil && context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("nix-store: %s", said.last(err.Error()))
	}
	return nil
}

// root makes the garbage collector's roots of the environments that are left, and removes
// those of others.
func (r *realising) root(ctx context.Context, dir *safedir.Dir) error {
	local, err := dir.MakeDir(filepath.Base(samedir.Local))
	if err != nil {
		return err
	}
	defer local.Close()
	roots, err := local.MakeDir(filepath.Base(GCRoots))
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
	for it, err := range roots.Sorted() {
		if err == nil && wanted[it.Name] == nil {
			_, err = roots.Remove(it.Name)
		}
		if err != nil {
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
		link := filepath.Join(r.same.Path(GCRoots), e.id, "root")
		if err := r.nix(ctx, append([]string{"--realise", "--add-root", link, "--indirect"}, paths...)...); err != nil {
			r.o.Warnf("nix may collect what the environment %s needs: %v", e.id, err)
		}
	}
	return nil
}

// rooted gives the store paths that the roots of an environment lead to, sorted.
func (r *realising) rooted(id string) []string {
	links, _ := filepath.Glob(filepath.Join(r.same.Path(GCRoots), id, "root*"))
	var paths []string
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil {
			paths = append(paths, to)
		}
	}
	slices.Sort(paths)
	return paths
}

// A tail keeps the end of what is written to it.
type tail struct{ data []byte }

const tailSize = 16 << 10 // bytes

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*tailSize {
		t.data = bytes.Clone(t.data[len(t.data)-tailSize:])
	}
	return len(p), nil
}

// last gives the last error that was written, on one line, or else.
func (t *tail) last(otherwise string) string {
	text := string(t.data)
	if at := strings.LastIndex("\n"+text, "\nerror:"); at >= 0 {
		text = text[at:]
	}
	words := strings.TrimPrefix(strings.Join(strings.Fields(text), " "), "error: ")
	if words == "" {
		return otherwise
	}
	if len(words) > 500 {
		words = strings.ToValidUTF8(words[:500], "") + "…"
	}
	return words
}
