package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cachekey/bench/internal/measure"
	"cachekey/bench/internal/peer"
	"cachekey/bench/internal/tree"
)

//go:embed hashfiles.mjs
var hashFilesScript []byte

// The names of the rows, as the tables and the targets call them.
const (
	keyRow       = "`cachekey`"
	ignoreRow    = "`cachekey`, with `core.ignorecase=true`"
	narHashRow   = "`cachekey nar-hash`"
	hashPathRow  = "`nix hash path`"
	coldRow      = "`nix flake metadata`, not yet in the store"
	warmRow      = "`nix flake metadata`, again"
	hashAllRow   = "`hashFiles('**')`"
	hashGlobsRow = "`hashFiles` of locks and manifests"
	goNixRow     = "go-nix `DumpPath`"
	boundRow     = "bound: read all in order into SHA-256, one thread"
	memoryRow    = "SHA-256 of as many bytes in memory"
	readRow      = "read all, on all cores"
)

// manifestGlobs are the patterns of hashFiles for the files of the ingredients locks
// and tasks.
var manifestGlobs = []string{
	"**/flake.lock", "**/*.nix", "**/go.mod", "**/go.sum", "**/go.work", "**/go.work.sum",
	"**/same.yaml", "**/same.work.yaml",
}

// peers are the programs that are measured.
type peers struct {
	workdir                     *peer.Workdir
	cachekey, goNix, globScript string
	nix                         *peer.Nix
	versions                    string
}

func install(workdir *peer.Workdir) (*peers, error) {
	p := &peers{workdir: workdir}
	var err error
	if p.cachekey, _, err = workdir.Build(); err != nil {
		return nil, err
	}
	if p.goNix, err = workdir.GoNix(); err != nil {
		return nil, err
	}
	if p.nix, err = workdir.Nix(); err != nil {
		return nil, err
	}
	glob, err := workdir.NPM("@actions/glob", peer.ActionsGlob)
	if err != nil {
		return nil, err
	}
	p.globScript = filepath.Join(glob, "hashfiles.mjs")
	if err := os.WriteFile(p.globScript, hashFilesScript, 0o644); err != nil {
		return nil, err
	}
	var goNix, goVersion, nix, node, git string
	for _, v := range []struct {
		into *string
		ask  func() (string, error)
	}{
		{&goNix, workdir.GoNixVersion},
		{&goVersion, func() (string, error) { return peer.Version("go", "env", "GOVERSION") }},
		{&nix, func() (string, error) { return peer.Version(p.nix.Program, "--version") }},
		{&node, func() (string, error) { return peer.Version("node", "--version") }},
		{&git, func() (string, error) { return peer.Version("git", "--version") }},
	} {
		if *v.into, err = v.ask(); err != nil {
			return nil, err
		}
	}
	p.versions = fmt.Sprintf("%s, %s, %s,\n@actions/glob %s on Node.js %s, go-nix %s", goVersion, git, nix, peer.ActionsGlob, node, goNix)
	return p, nil
}

// rows returns the rows for t. It first checks that all peers agree.
func (p *peers) rows(t *tree.Tree) ([]measure.Row, error) {
	list, err := t.Tracked()
	if err != nil {
		return nil, err
	}
	listFile := filepath.Join(filepath.Dir(t.Repo), "files")
	if err := os.WriteFile(listFile, list, 0o644); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	narHash, err := p.agreed(t)
	if err != nil {
		return nil, err
	}
	key, err := p.agreedKey(t, narHash)
	if err != nil {
		return nil, err
	}
	metadata := p.metadata(t)
	pass := func(kind, dir string) measure.Command {
		return measure.Command{Args: []string{self, kind, listFile}, Dir: dir, Env: p.workdir.Env()}
	}
	bound := func(kind string) measure.Command { return pass(kind, t.Repo) }
	// The machine may drop files from the page cache while a long row runs, so each
	// row reads its files first.
	warm := func(dir string) func() error {
		return func() error {
			_, err := measure.Run(pass(boundRead, dir))
			return err
		}
	}
	repo, plain := warm(t.Repo), warm(t.Plain)
	rows := []measure.Row{
		{Name: keyRow, Command: p.key(t), Before: repo, After: sameText(key)},
		{Name: ignoreRow, Command: p.keyIgnoringCase(t), Before: repo, After: sameText(key)},
		{Name: narHashRow, Command: p.narHash(t), Before: repo, After: sameText(narHash)},
		{Name: coldRow, Command: metadata, Before: func() error { return errors.Join(p.nix.FreshStore(storeName), repo()) }, After: sameHash(narHash), Most: most(t, 0, 2, 1)},
		// It uses the store and cache of the cold row before.
		{Name: warmRow, Command: metadata, After: sameHash(narHash)},
		{Name: boundRow, Command: bound(boundSerial), Before: repo},
		{Name: memoryRow, Command: bound(boundHash), Before: repo},
		{Name: readRow, Command: bound(boundRead), Before: repo},
	}
	if t.Untracked > 0 {
		// Programs that read only tracked files take as long as without untracked ones.
		return rows, nil
	}
	all, err := countFiles(t.Plain)
	if err != nil {
		return nil, err
	}
	return append(rows,
		measure.Row{Name: hashPathRow, Command: p.hashPath(t), Before: plain, After: sameText(narHash)},
		measure.Row{Name: goNixRow, Command: p.goNixHash(t), Before: plain, After: sameText(narHash)},
		measure.Row{Name: hashGlobsRow, Command: p.hashFiles(t, manifestGlobs...), Before: plain, Most: most(t, 0, 0, 1)},
		measure.Row{Name: hashAllRow, Command: p.hashFiles(t, "**"), Before: plain, After: foundFiles(all), Most: most(t, 3, 0, 1)},
	), nil
}

// most limits the rounds of slow rows, so that all of them take some minutes.
func most(t *tree.Tree, usual, untracked, large int) int {
	switch {
	case t.Untracked > 0:
		return untracked
	case t.Files > 50_000:
		return large
	default:
		return usual
	}
}

func foundFiles(n int) func([]byte) error {
	return func(out []byte) error {
		if want := fmt.Sprintf("Found %d files to hash", n); !strings.Contains(string(out), want) {
			return fmt.Errorf("hashFiles did not print %q", want)
		}
		return nil
	}
}

const storeName = "bench-key"

func (p *peers) key(t *tree.Tree) measure.Command {
	return measure.Command{Args: []string{p.cachekey}, Dir: t.Repo, Env: p.workdir.Env()}
}

// keyIgnoringCase is key with the configuration of git on macOS.
func (p *peers) keyIgnoringCase(t *tree.Tree) measure.Command {
	c := p.key(t)
	c.Env = append(c.Env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.ignorecase", "GIT_CONFIG_VALUE_0=true")
	return c
}

func (p *peers) narHash(t *tree.Tree) measure.Command {
	return measure.Command{Args: []string{p.cachekey, "nar-hash"}, Dir: t.Repo, Env: p.workdir.Env()}
}

func (p *peers) hashPath(t *tree.Tree) measure.Command {
	return measure.Command{Args: p.nix.Args("hash", "path", "."), Dir: t.Plain, Env: p.nix.Env(storeName)}
}

func (p *peers) metadata(t *tree.Tree) measure.Command {
	return measure.Command{Args: p.nix.Args("flake", "metadata", "--json"), Dir: t.Repo, Env: p.nix.Env(storeName)}
}

func (p *peers) goNixHash(t *tree.Tree) measure.Command {
	return measure.Command{Args: []string{p.goNix, t.Plain}, Env: p.workdir.Env()}
}

// hashFiles reads a copy of the tracked files, because it would also read .git and
// untracked files.
func (p *peers) hashFiles(t *tree.Tree, patterns ...string) measure.Command {
	return measure.Command{Args: append([]string{"node", p.globScript, t.Plain}, patterns...), Env: p.workdir.Env()}
}

// agreed returns the narHash of t, and an error if the four programs disagree.
func (p *peers) agreed(t *tree.Tree) (string, error) {
	if err := p.nix.FreshStore(storeName); err != nil {
		return "", err
	}
	sample, err := measure.Run(p.hashPath(t))
	if err != nil {
		return "", err
	}
	want := strings.TrimSpace(string(sample.Out))
	for _, way := range []struct {
		command measure.Command
		check   func([]byte) error
	}{
		{p.metadata(t), sameHash(want)},
		{p.goNixHash(t), sameText(want)},
		{p.narHash(t), sameText(want)},
	} {
		sample, err := measure.Run(way.command)
		if err != nil {
			return "", err
		}
		if err := way.check(sample.Out); err != nil {
			return "", fmt.Errorf("%q does not agree with nix hash path: %w", way.command.Args, err)
		}
	}
	return want, nil
}

// agreedKey returns the key of t, and an error if its document has another narHash.
func (p *peers) agreedKey(t *tree.Tree, narHash string) (string, error) {
	command := p.key(t)
	command.Args = append(command.Args, "key", "--json")
	sample, err := measure.Run(command)
	if err != nil {
		return "", err
	}
	var document struct{ Key, NarHash string }
	if err := json.Unmarshal(sample.Out, &document); err != nil {
		return "", err
	}
	if document.NarHash != narHash || document.Key == "" {
		return "", fmt.Errorf("the key %q is of %s, not of %s", document.Key, document.NarHash, narHash)
	}
	return document.Key, nil
}

func sameText(want string) func([]byte) error {
	return func(out []byte) error {
		if got := strings.TrimSpace(string(out)); got != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		return nil
	}
}

func sameHash(want string) func([]byte) error {
	return func(out []byte) error {
		var metadata struct{ Locked struct{ NarHash string } }
		if err := json.Unmarshal(out, &metadata); err != nil {
			return err
		}
		return sameText(want)([]byte(metadata.Locked.NarHash))
	}
}

func countFiles(root string) (n int, err error) {
	err = filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			n++
		}
		return err
	})
	return n, err
}
