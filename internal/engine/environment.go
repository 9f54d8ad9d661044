package engine

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cachekey/internal/manifest"
)

// inherited are the variables of ours that every task sees. None of them is in
// an input hash but the part of PATH that storeEntries gives.
var inherited = []string{"HOME", "PATH", "TERM", "TMPDIR", "USER"}

// environment gives all that a task sees: what is inherited and passed, then
// its tools' variables, then its own, each before what has the same name.
func (r *Runner) environment(t *manifest.Task, tools []string) []string {
	env := make(map[string]string)
	for _, name := range slices.Concat(inherited, r.PassEnv) {
		if value, ok := r.LookupEnv(name); ok {
			env[name] = value
		}
	}
	for _, variable := range tools {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	maps.Copy(env, t.Env)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// storeEntries gives the entries of path that lie in the Nix store, without
// those that have the program own in them: a new version of same is not another
// toolchain.
func storeEntries(path, own string) []string {
	var entries []string
	for _, entry := range filepath.SplitList(path) {
		if strings.HasPrefix(entry, "/nix/store/") && !isIn(own, entry) {
			entries = append(entries, entry)
		}
	}
	return entries
}

func isIn(program, dir string) bool {
	if program == "" {
		return false
	}
	if filepath.Dir(program) == dir {
		return true
	}
	mine, err := os.Stat(program)
	if err != nil {
		return false
	}
	its, err := os.Stat(filepath.Join(dir, filepath.Base(program)))
	return err == nil && os.SameFile(mine, its)
}

// lookPath finds the program that a task's command names, in the task's own
// PATH and relative to its working directory.
func lookPath(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	for _, variable := range env {
		path, ok := strings.CutPrefix(variable, "PATH=")
		if !ok {
			continue
		}
		for _, entry := range filepath.SplitList(path) {
			if !filepath.IsAbs(entry) {
				entry = filepath.Join(dir, entry)
			}
			if file := filepath.Join(entry, name); executable(file) == nil {
				return file, nil
			}
		}
	}
	return "", &os.PathError{Op: "finding the program", Path: name, Err: errNotOnPath}
}

func executable(file string) error {
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	if st.IsDir() || st.Mode()&0o111 == 0 {
		return &os.PathError{Op: "executing", Path: file, Err: os.ErrPermission}
	}
	return nil
}
