package source

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Tracked returns the path, from the git root, of a file that git tracks and that
// is name in the directory root, or below it; "" if there is none, or no
// git. Where
// the file system ignores case, so does Tracked.
func Tracked(ctx context.Context, root, name string) (string, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return "", nil
	}
	dir, err := realDirectory(root)
	if err != nil {
		return "", err
	}
	in, err := above(dir)
	if err != nil || !in.git {
		return "", err
	}
	rel, err := filepath.Rel(in.root, dir)
	if err != nil {
		return "", err
	}
	args := []string{"ls-files", "-z", "--"}
	for _, spelling := range spellings(dir, name) {
		args = append(args, path.Join(filepath.ToSlash(rel), spelling))
	}
	out, err := (&repository{root: in.root}).git(ctx, args...)
	first, _, _ := strings.Cut(string(out), "\x00")
	return first, err
}

// spellings returns all spellings of name in lower and upper case that name the same
// file in dir.
func spellings(dir, name string) []string {
	lower, err := os.Lstat(filepath.Join(dir, name))
	if err != nil {
		return []string{name}
	}
	upper, err := os.Lstat(filepath.Join(dir, strings.ToUpper(name)))
	if err != nil || !os.SameFile(lower, upper) {
		return []string{name}
	}
	all := []string{""}
	for _, r := range name {
		var longer []string
		for _, s := range all {
			longer = append(longer, s+strings.ToLower(string(r)))
			if up := strings.ToUpper(string(r)); up != string(r) {
				longer = append(longer, s+up)
			}
		}
		all = longer
	}
	return all
}
