package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

// A place is the flake of a directory and the tree that its narHash covers.
type place struct {
	root  string // the tree: the git root, else the flake's directory, else the directory itself
	flake string // the directory of flake.nix; "" if there is none
	git   bool   // whether root is a git work tree
}

// find returns dir's flake by Nix's rules: upward to the nearest flake.nix, and
// from there upward to the nearest .git, whose whole work tree is hashed
// (parsePathFlakeRefWithFragment in Nix's src/libflake/flakeref.cc).
//
// For Nix, a directory in a git work tree without a flake.nix has no narHash. With
// withoutFlake, its tree is the git work tree.
func find(dir string, withoutFlake bool) (place, error) {
	start, err := realDirectory(dir)
	if err != nil {
		return place{}, err
	}
	var device uint64
	for at := start; ; at = filepath.Dir(at) {
		st, err := disk.Lstat(at)
		if err != nil {
			return place{}, err
		}
		if at == start {
			device = st.Dev
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
				"a git repository has a narHash only if it is a flake: add a flake.nix, or pass --nar-hash or --allow-missing to cachekey key")
		}
		// Nix looks into the first directory of another file system, and no further.
		if st.Dev != device {
			return beyond(start, at)
		}
		if at == filepath.Dir(at) {
			return place{root: start}, nil
		}
	}
}

// beyond returns the place of start, for which Nix gives up its search for a flake
// at the directory at: start itself, unless there is a flake or a git repository
// further up, whose hash one may have meant.
func beyond(start, at string) (place, error) {
	for dir := at; dir != filepath.Dir(dir); {
		dir = filepath.Dir(dir)
		for _, name := range []string{"flake.nix", ".git"} {
			there, err := exists(filepath.Join(dir, name))
			if err != nil {
				return place{}, err
			}
			if there {
				return place{}, message.WithHint(fmt.Errorf("%q is on another file system than %q, and Nix does not search beyond %q", start, filepath.Join(dir, name), at),
					"name the directory of the flake")
			}
		}
	}
	return place{root: start}, nil
}

// above returns the place of the flake in dir: its git root, if there is one.
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

// realDirectory returns the absolute path of dir without symbolic links. For a
// flake.nix it returns the directory of it, as Nix does.
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
