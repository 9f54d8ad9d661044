package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"cachekey/internal/disk"
)

// Tracked returns the path, from the git root, of a file that git tracks and that
// is name in the directory root, or below it; "" if there is none, or no git. Where
// the file system ignores case, so does Tracked. name must be ASCII and begin with a
// dot.
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
	if lacks(filepath.Join(in.root, ".git", "index"), name) {
		return "", nil
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

// lacks reports whether a file is an index of git's in which no path can contain name,
// in upper or lower case. It exists because starting git takes longer than a small run.
//
// Versions 2 and 3 have each path in one piece. An extension called "link" has a part of
// the index in another file, and one called "sdir" tells that some directories stand for
// all files below them. See gitformat-index(5).
func lacks(index, name string) bool {
	data, err := disk.ReadFile(index, 64<<20)
	if err != nil || len(data) < 12 || string(data[:4]) != "DIRC" {
		return false
	}
	if version := binary.BigEndian.Uint32(data[4:]); version != 2 && version != 3 {
		return false
	}
	if bytes.Contains(data, []byte("link")) || bytes.Contains(data, []byte("sdir")) {
		return false
	}
	for {
		at := bytes.IndexByte(data, name[0])
		if at < 0 || len(data)-at < len(name) {
			return true
		}
		if bytes.EqualFold(data[at:at+len(name)], []byte(name)) {
			return false
		}
		data = data[at+1:]
	}
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
