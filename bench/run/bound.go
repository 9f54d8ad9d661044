package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/zeebo/blake3"

	"cachekey/bench/internal/measure"
)

// The first argument with which this program starts itself to measure a bound.
const (
	boundWalk  = "bound-walk"  // walk the inputs and lstat each
	boundHash  = "bound-hash"  // and read and hash each with BLAKE3, on all cores
	boundWrite = "bound-write" // write the outputs, each into a new file
	boundCopy  = "bound-copy"  // write the outputs, each into a temporary file that is then renamed
)

// bounds are the functions for measure.Bound. They work on the workspace in the
// working directory.
var bounds = map[string]func([]string) error{
	boundWalk:  func([]string) error { _, err := walk(); return err },
	boundHash:  func([]string) error { return hash() },
	boundWrite: func(args []string) error { return rewrite(args[0]) },
	boundCopy:  func(args []string) error { return copyTree(args[0]) },
}

// walk returns all inputs, after an lstat of each.
func walk() (names []string, err error) {
	roots, err := filepath.Glob("p*/t*/src")
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			_, err = entry.Info()
			names = append(names, name)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no inputs here")
	}
	return names, nil
}

func hash() error {
	names, err := walk()
	if err != nil {
		return err
	}
	return measure.OnAllCores(names, func() func(string) error {
		buffer := make([]byte, fileSize+1)
		return func(name string) error { return hashFile(name, buffer) }
	})
}

func hashFile(name string, buffer []byte) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	n, err := file.Read(buffer)
	if err != nil {
		return err
	}
	blake3.Sum256(buffer[:n])
	return nil
}

// rewrite writes the outputs of from to a new directory beside them, and removes it.
func rewrite(from string) error {
	names, err := filepath.Glob(filepath.Join(from, "p*/t*/out/result"))
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		to := strings.TrimPrefix(name, from+"/")
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copyTree copies what is in from to the working directory: each file is written beside
// the tree, and then renamed. It does so on all cores.
func copyTree(from string) error {
	if err := os.Mkdir("tmp", 0o755); err != nil {
		return err
	}
	var names []string
	err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(strings.TrimPrefix(name, from), "/")
		switch {
		case err != nil || rel == "":
			return err
		case entry.IsDir():
			return os.MkdirAll(rel, 0o755)
		}
		names = append(names, rel)
		return nil
	})
	if err != nil {
		return err
	}
	return measure.OnAllCores(names, func() func(string) error {
		return func(name string) error {
			in, err := os.Open(filepath.Join(from, name))
			if err != nil {
				return err
			}
			defer in.Close()
			out, err := os.CreateTemp("tmp", "")
			if err != nil {
				return err
			}
			_, err = io.Copy(out, in)
			if err := errors.Join(err, out.Close()); err != nil {
				return err
			}
			return os.Rename(out.Name(), name)
		}
	})
}
