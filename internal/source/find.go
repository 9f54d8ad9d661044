package source

import (
	"cachekey/internal/message"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A place says where a directory's flake is, and which tree its narHash covers.
type place struct {
	root  string // the tree: the git root, else the flake's directory, else the directory itself
	flake string // the directory of flake.nix; "" if there is none
	git   bool   // whether root is a git work tree
}

// find looks for dir's flake as Nix does: upward to the nearest flake.nix, and
// from there upward to the nearest .git, whose whole work tree is hashed. The
// rules are those of parsePathFlakeRefWithFragment in Nix's
// src/libflake/flakeref.cc.
//
// A directory in a git work tree without a flake.nix has no narHash in Nix's
// eyes; with withoutFlake it is the git work tree's.
func find(dir string, withoutFlake bool) (place, error) {
	start, err := realDirectory(dir)
	if err != nil {
		return place{}, err
	}
	var device uint64
	for at := start; ; at = filepath.Dir(at) {
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil {
			return place{}, &fs.PathError{Op: "lstat", Path: at, Err: err}
		}
		if at == start {
			device = uint64(st.Dev)
		} else if uint64(st.Dev) != device {
			return place{root: start}, nil // Nix looks no further than this file system
		}
		flake, err := exists(filepath.Join(at, "flake.nix"))
		if err != nil {
			return place{}, err
		}
		if flake {
			return above(at)
		}
		git, err := exists(filepath.Join(at, ".git"))
		if err != nil {
			return place{}, err
		}
		if git && withoutFlake {
			return place{root: at, git: true}, nil
		}
		if git {
			return place{}, message.WithHint(fmt.Errorf("no flake.nix in %q or above it up to the git root %q", start, at),
				"a git repository has a narHash only as a flake: add a flake.nix; cachekey key does without by --nar-hash or --allow-missing")
		}
		if at == filepath.Dir(at) {
			return place{root: start}, nil
		}
	}
}

// above finds the git root of the flake in dir.
func above(dir string) (place, error) {
	for at := dir; ; at = filepath.Dir(at) {
		git, err := exists(filepath.Join(at, ".git"))
		if err != nil {
			return place{}, err
		}
		if git {
			return place{root: at, flake: dir, git: true}, nil
		}
		if at == filepath.Dir(at) {
			return place{root: dir, flake: dir}, nil
		}
	}
}

// realDirectory resolves every symbolic link in dir. A flake.nix stands for
// the directory that it is in, as it does for Nix.
func realDirectory(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs) // first: its error has the whole path
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", err
	}
	if !info.IsDir() && filepath.Base(abs) == "flake.nix" {
		return realDirectory(filepath.Dir(abs))
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%q is not a directory", dir)
	}
	return real, nil
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
