package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The changes of a world. They ignore errors: random changes fail now and then.

func (w *world) log(words ...string) {
	for _, word := range words {
		quoted := strconv.Quote(word)
		if strings.Trim(quoted, `"`) != word || strings.ContainsAny(word, " '$#") || word == "" {
			word = "'" + strings.ReplaceAll(quoted[1:len(quoted)-1], "'", "''") + "'"
		}
		w.done.WriteString(word + " ")
	}
	w.done.WriteString("\n")
}

func (w *world) abs(path string) string { return w.root + "/" + path }

func (w *world) write(path, text string) {
	w.log("write", path, text)
	os.MkdirAll(filepath.Dir(w.abs(path)), 0o755)
	// A fifo would make this wait for a reader.
	if info, err := os.Lstat(w.abs(path)); err == nil && !info.Mode().IsRegular() {
		os.Remove(w.abs(path))
	}
	os.WriteFile(w.abs(path), []byte(text), 0o644)
}

func (w *world) remove(path string) {
	if path == "." || path == "" {
		return
	}
	w.log("rm", path)
	// RemoveAll would open the parent, which would wait for a writer of a fifo.
	if _, err := os.Lstat(w.abs(path)); err == nil {
		os.RemoveAll(w.abs(path))
	}
}

func (w *world) chmod(path, mode string) {
	if info, err := os.Lstat(w.abs(path)); err != nil || !info.Mode().IsRegular() {
		return
	}
	w.log("mode", mode, path)
	bits, _ := strconv.ParseUint(mode, 8, 12)
	unix.Chmod(w.abs(path), uint32(bits))
}

func (w *world) link(target, path string) {
	if target == "" {
		return
	}
	w.remove(path)
	w.log("link", target, path)
	os.MkdirAll(filepath.Dir(w.abs(path)), 0o755)
	os.Symlink(target, w.abs(path))
}

func (w *world) mkdir(path string) {
	w.log("mkdir", path)
	os.MkdirAll(w.abs(path), 0o755)
}

func (w *world) fifo(path string) {
	w.log("fifo", path)
	unix.Mkfifo(w.abs(path), 0o644)
}

func (w *world) move(from, to string) {
	if from == "." {
		return
	}
	w.log("mv", from, to)
	os.MkdirAll(filepath.Dir(w.abs(to)), 0o755)
	os.Rename(w.abs(from), w.abs(to))
}

func (w *world) git(args ...string) string { return w.gitInput("", args...) }

func (w *world) gitInput(stdin string, args ...string) string {
	w.log(append([]string{"git"}, args...)...)
	if stdin != "" {
		w.log("#", stdin)
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = w.root
	cmd.Env = append(os.Environ(), "GIT_LITERAL_PATHSPECS=1")
	cmd.Stdin = strings.NewReader(stdin)
	out, _ := cmd.Output()
	return string(out)
}
