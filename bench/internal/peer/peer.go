// Package peer installs the programs that cachekey and same are compared with, at
// pinned versions, into a directory of the benchmarks' own.
package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The versions that the tables in docs/benchmarks.md are about.
const (
	ActionsGlob = "0.7.0"
	Turbo       = "2.11.11"
	Nx          = "22.7.12"
	Moon        = "1.41.7"
	GoTask      = "v3.54.0"
)

// A Workdir is the directory that holds the peers and what they work on.
type Workdir struct {
	Dir    string
	Source string // the root of cachekey's source
}

// Open returns the workdir below dir; an empty dir means the user's cache directory.
func Open(dir string) (*Workdir, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(cache, "cachekey-bench")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	// Without links: the programs that run in it print this path.
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	source, err := output("", "go", "list", "-m", "-f", "{{.Dir}}", "cachekey")
	if err != nil {
		return nil, fmt.Errorf("finding the source: %w", err)
	}
	return &Workdir{Dir: dir, Source: source}, nil
}

// Path returns the path of name in the workdir.
func (s *Workdir) Path(name ...string) string {
	return filepath.Join(append([]string{s.Dir}, name...)...)
}

// Env returns the environment in which everything is measured: a private home
// directory without configuration.
func (s *Workdir) Env(extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + s.Path("home"),
		"LC_ALL=C",
		"TMPDIR=" + os.TempDir(),
	}, extra...)
}

// Build builds cachekey and same as they are released, and returns their paths.
func (s *Workdir) Build() (cachekey, same string, err error) {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", s.Path("bin")+"/", "./tools/...")
	cmd.Dir = s.Source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("building cachekey: %w\n%s", err, out)
	}
	return s.Path("bin", "cachekey"), s.Path("bin", "same"), nil
}

// GoNix builds the program that hashes a directory with go-nix.
func (s *Workdir) GoNix() (string, error) {
	cmd := exec.Command("go", "build", "-o", s.Path("bin", "gonix"), ".")
	cmd.Dir = filepath.Join(s.Source, "bench", "peers", "gonix")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building go-nix's DumpPath: %w\n%s", err, out)
	}
	return s.Path("bin", "gonix"), nil
}

// GoNixVersion reads go-nix's version from the module that pins it.
func (s *Workdir) GoNixVersion() (string, error) {
	return output(filepath.Join(s.Source, "bench", "peers", "gonix"),
		"go", "list", "-m", "-f", "{{.Version}}", "github.com/nix-community/go-nix")
}

// Task installs go-task, and returns its path.
func (s *Workdir) Task() (string, error) {
	bin := s.Path("task-" + GoTask)
	cmd := exec.Command("go", "install", "github.com/go-task/task/v3/cmd/task@"+GoTask)
	cmd.Env = append(os.Environ(), "GOBIN="+bin)
	if _, err := os.Stat(filepath.Join(bin, "task")); err != nil {
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("installing go-task: %w\n%s", err, out)
		}
	}
	return filepath.Join(bin, "task"), nil
}

// NPM installs one package at one version, and returns the directory that has its node_modules.
func (s *Workdir) NPM(name, version string) (string, error) {
	dir := s.Path("npm", strings.ReplaceAll(strings.TrimPrefix(name, "@"), "/", "-")+"-"+version)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", filepath.FromSlash(name), "package.json")); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{\"private\": true}\n"), 0o644); err != nil {
		return "", err
	}
	_, err := output(dir, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", name+"@"+version)
	if err != nil {
		return "", fmt.Errorf("installing %s@%s: %w", name, version, err)
	}
	return dir, nil
}

// output runs a program in dir, and returns what it prints, trimmed.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(failed.Stderr))
	}
	return string(bytes.TrimSpace(out)), err
}

// Version returns the first line that a program prints when asked for its version.
func Version(name string, args ...string) (string, error) {
	text, err := output("", name, args...)
	first, _, _ := strings.Cut(text, "\n")
	return first, err
}
