package main

import "path/filepath"

// inDirectory is path as seen from dir, which -C gave.
func inDirectory(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
