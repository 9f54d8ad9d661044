package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A world is a git repository that changes at random.
type world struct {
	t    *testing.T
	root string
	rand *rand.Rand
	done strings.Builder // the changes so far
}

// worldNames are few, so that paths collide. Some sort differently as a path, as a git
// tree entry and in a NAR, and some Nix handles wrongly.
var worldNames = []string{
	"a", "a.b", "a-b", "a0", "foo", "foo\xc3\xa9", "foo\x80", "foo-x", "\xc3\xa9", "\xff",
	"dir", "dir2", "deep", "sp ace", "new\nline", "..data", ".hidden", "ignored", "sub", "Foo",
}

func init() {
	// testdata/nix/names_left_out.txtar says why.
	if runtime.GOOS == "linux" && runtime.GOARCH == "arm64" {
		worldNames = slices.DeleteFunc(worldNames, func(name string) bool { return len(name) > 3 && name[len(name)-1] >= 0x80 })
	}
}

func newWorld(t *testing.T, root string, seed uint64) *world {
	w := &world{t: t, root: root, rand: rand.New(rand.NewPCG(seed, 0))}
	if out, err := exec.Command("git", "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	w.write("flake.nix", "{ outputs = _: { }; }\n")
	w.git("add", "flake.nix")
	for range 8 {
		w.write(w.path(), w.text())
	}
	w.git("add", ".")
	w.git("commit", "-q", "-m", "start")
	return w
}

// live makes n changes.
func (w *world) live(n int) {
	total := 0
	for _, e := range events {
		total += e.weight
	}
	for range n {
		at := w.rand.IntN(total)
		for _, e := range events {
			if at -= e.weight; at < 0 {
				e.happen(w)
				break
			}
		}
	}
}

type event struct {
	weight int
	happen func(*world)
}

// events are the changes. Most of them fail now and then, since they are random; such
// errors are ignored.
var events = []event{
	{12, func(w *world) { w.write(w.path(), w.text()) }},
	{6, func(w *world) { w.write(w.known(), w.text()) }},
	{8, func(w *world) { w.remove(w.known()) }},
	{2, func(w *world) { w.remove(filepath.Dir(w.known())) }},
	{4, func(w *world) { w.chmod(w.known(), []string{"0644", "0755", "0654", "0700", "0444"}[w.rand.IntN(5)]) }},
	{4, func(w *world) { w.link(w.text(), w.path()) }},
	{3, func(w *world) { w.link(w.name(), w.known()) }},
	{3, func(w *world) { w.mkdir(w.path()) }},
	{1, func(w *world) { w.fifo(w.path()) }},
	{4, func(w *world) { w.move(w.known(), w.path()) }},
	{2, func(w *world) { w.move(filepath.Dir(w.known()), w.path()) }},
	{3, func(w *world) { w.move(w.known(), w.known()) }},
	{8, func(w *world) { w.git("add", w.known()) }},
	{4, func(w *world) { w.git("add", "-A", ".") }},
	{3, func(w *world) { w.git("add", "-f", w.known()) }},
	{3, func(w *world) { w.git("add", "-N", w.known()) }},
	{3, func(w *world) { w.git("rm", "-q", "-f", "-r", w.tracked()) }},
	{3, func(w *world) { w.git("rm", "-q", "-r", "--cached", w.tracked()) }},
	{3, func(w *world) { w.git("mv", "-f", w.tracked(), w.path()) }},
	{6, func(w *world) { w.git("commit", "-q", "-m", "more") }},
	{2, func(w *world) { w.git("checkout", "-q", "--", w.tracked()) }},
	{1, func(w *world) { w.git("reset", "-q", "--", w.tracked()) }},
	{4, func(w *world) { w.git("update-index", "--assume-unchanged", w.tracked()) }},
	{4, func(w *world) { w.git("update-index", "--skip-worktree", w.tracked()) }},
	{1, func(w *world) { w.git("update-index", "--no-assume-unchanged", w.tracked()) }},
	{2, func(w *world) { w.git("update-index", "--chmod=+x", w.tracked()) }},
	{1, func(w *world) { w.git("update-index", "--index-version", strconv.Itoa(2+w.rand.IntN(3))) }},
	{2, (*world).merge},
	{2, (*world).conflict},
	{2, (*world).gitlink},
	{2, (*world).replaceByGitlink},
	{3, (*world).nestedRepository},
	{2, func(w *world) { w.write(".gitignore", w.name()+"\n") }},
	{1, func(w *world) { w.write(filepath.Join(filepath.Dir(w.known()), ".gitignore"), "*\n") }},
	{1, func(w *world) { w.write(".gitattributes", "* text=auto eol=crlf\n") }},
	{1, func(w *world) { w.git("config", "core.autocrlf", []string{"true", "false", "input"}[w.rand.IntN(3)]) }},
	{1, func(w *world) { w.git("config", "core.fileMode", []string{"true", "false"}[w.rand.IntN(2)]) }},
	{1, func(w *world) { w.git("config", "core.symlinks", []string{"true", "false"}[w.rand.IntN(2)]) }},
}

// merge makes a diverging branch, and merges it.
func (w *world) merge() {
	w.git("checkout", "-q", "-f", "-B", "other")
	w.write(w.tracked(), w.text())
	w.git("rm", "-q", "-f", "-r", w.tracked())
	w.git("commit", "-q", "-a", "-m", "other")
	w.git("checkout", "-q", "-f", "-B", "main", "HEAD~1")
	w.write(w.tracked(), w.text())
	w.git("commit", "-q", "-a", "-m", "main")
	w.git("merge", "-q", "--no-edit", "other")
}

// conflict writes one, two or three sides of a conflict to the index.
func (w *world) conflict() {
	blob := strings.TrimSpace(w.git("rev-parse", "HEAD:flake.nix"))
	path := w.known()
	if path == "flake.nix" || blob == "" {
		return
	}
	var info strings.Builder
	fmt.Fprintf(&info, "0 %040d\t%s\x00", 0, path)
	for stage := 1; stage <= 3; stage++ {
		if w.rand.IntN(2) == 0 {
			fmt.Fprintf(&info, "100644 %s %d\t%s\x00", blob, stage, path)
		}
	}
	w.gitInput(info.String(), "update-index", "-z", "--index-info")
}

// gitlink adds a submodule to the index whose path does not exist on disk, or is
// something else there.
func (w *world) gitlink() {
	w.git("update-index", "--add", "--replace", "--cacheinfo", "160000,1111111111111111111111111111111111111111,"+w.path())
}

// replaceByGitlink stages a submodule at a path that may be a file in HEAD.
func (w *world) replaceByGitlink() {
	path := w.tracked()
	w.git("rm", "-q", "-f", "-r", path)
	w.write(path+"/inner", w.text())
	w.git("update-index", "--add", "--replace", "--cacheinfo", "160000,1111111111111111111111111111111111111111,"+path)
}

func (w *world) nestedRepository() {
	dir := w.path()
	w.git("init", "-q", dir)
	w.write(dir+"/inner", w.text())
	if w.rand.IntN(2) == 0 {
		w.git("-C", dir, "add", "inner")
		w.git("-C", dir, "commit", "-q", "-m", "inner")
	}
	if w.rand.IntN(2) == 0 {
		w.git("add", "-f", dir)
	}
}

func (w *world) name() string { return worldNames[w.rand.IntN(len(worldNames))] }

func (w *world) text() string {
	return []string{"", "x", "one\ntwo\n", "one\r\ntwo\r\n", w.name(), strconv.Itoa(w.rand.IntN(1000))}[w.rand.IntN(6)]
}

// path returns a path of one, two or three names.
func (w *world) path() string {
	p := w.name()
	for w.rand.IntN(3) > 0 && strings.Count(p, "/") < 2 {
		p += "/" + w.name()
	}
	return p
}

// known returns a path that is on disk or in the index, or any path.
func (w *world) known() string {
	var all []string
	filepath.WalkDir(w.root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if rel, _ := filepath.Rel(w.root, path); err == nil && rel != "." {
			all = append(all, rel)
		}
		return nil
	})
	return w.oneOf(append(all, w.index()...))
}

func (w *world) tracked() string { return w.oneOf(w.index()) }

func (w *world) index() []string {
	cmd := exec.Command("git", "-C", w.root, "ls-files", "-z")
	out, _ := cmd.Output()
	return strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 })
}

// oneOf never returns flake.nix: without it there is nothing to compare.
func (w *world) oneOf(paths []string) string {
	if len(paths) == 0 {
		return w.path()
	}
	if p := paths[w.rand.IntN(len(paths))]; p != "flake.nix" {
		return p
	}
	return w.path()
}
