package peer

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// A Nix runs one nix binary on stores and caches of the benchmarks' own.
type Nix struct {
	Program string
	workdir *Workdir
}

// Nix returns the nix on PATH or, without one, installs Debian's into the workdir.
func (s *Workdir) Nix() (*Nix, error) {
	if program, err := exec.LookPath("nix"); err == nil {
		return &Nix{program, s}, nil
	}
	install := exec.Command("bash", filepath.Join(s.Source, "checks", "offline", "install-nix.sh"), s.Path("nix"), "current")
	var printed bytes.Buffer
	install.Stderr = &printed
	program, err := install.Output()
	if err != nil {
		return nil, fmt.Errorf("no nix on PATH, and installing one failed: %w\n%s", err, printed.Bytes())
	}
	return &Nix{string(bytes.TrimSpace(program)), s}, nil
}

// Args returns the command line of nix with the experimental features that it needs.
func (n *Nix) Args(args ...string) []string {
	return append([]string{n.Program, "--extra-experimental-features", "nix-command flakes", "--offline"}, args...)
}

// Env returns the environment for the store called name and its caches.
func (n *Nix) Env(name string) []string {
	dir := n.workdir.Path("nix-state", name)
	return n.workdir.Env(
		"NIX_CONF_DIR="+dir, "NIX_USER_CONF_FILES=/dev/null",
		"XDG_CACHE_HOME="+filepath.Join(dir, "cache"),
		"NIX_REMOTE="+filepath.Join(dir, "store"),
	)
}

// FreshStore makes the store called name anew: initialised, and empty.
func (n *Nix) FreshStore(name string) error {
	dir := n.workdir.Path("nix-state", name)
	if err := RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "store"), 0o755); err != nil {
		return err
	}
	args := n.Args("path-info", "--all")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = n.Env(name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initialising a Nix store: %w\n%s", err, out)
	}
	return nil
}

// RemoveAll is os.RemoveAll for a directory with read-only directories in it.
func RemoveAll(dir string) error {
	filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			os.Chmod(name, 0o755)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
