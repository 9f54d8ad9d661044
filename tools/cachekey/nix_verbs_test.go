package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// verbs are the commands of the scripts in testdata/nix. To make a case:
//
//	repo [NAME]          a new git repository with a committed flake.nix, and there
//	git ARG…             the real git; ! git where it must fail
//	write NAME TEXT      makes a file; both take Go's escapes (\n, \xc3)
//	link TARGET NAME     makes a symbolic link, with escapes too
//	mode OCTAL NAME      changes permissions, all of them
//	fifo NAME, socket NAME
//
// And to compare, in the directory where the script is or in DIR below it:
//
//	same [-current] [DIR]           both Nix versions and cachekey print one hash
//	same-path [-current] [DIR]      the same with `nix hash path`
//	declines [-current] [DIR]       Nix prints a hash, cachekey an error that names --nar-hash
//	fails [-current] NIX-REGEXP OWN-REGEXP [DIR]   both fail, with these words
//	lenient [-current] NIX-REGEXP [DIR]   Nix fails, cachekey prints a hash
//
// With -current this holds for the current Nix only: the oldest fails where the
// current one succeeds, and succeeds where it fails.
func (both nixes) verbs() map[string]func(*testscript.TestScript, bool, []string) {
	verbs := map[string]func(*testscript.TestScript, []string){
		"repo":      newRepo,
		"write":     write,
		"link":      link,
		"mode":      mode,
		"fifo":      fifo,
		"socket":    socket,
		"same":      both.same(nix.flakeHash),
		"same-path": both.same(nix.pathHash),
		"declines":  both.declines,
		"fails":     both.fails,
		"lenient":   both.lenient,
	}
	cmds := map[string]func(*testscript.TestScript, bool, []string){"git": git}
	for name, verb := range verbs {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg {
				ts.Fatalf("%s has no !", name)
			}
			verb(ts, args)
		}
	}
	return cmds
}

// A comparison holds the arguments of a verb.
type comparison struct {
	*testscript.TestScript
	nixes
	dir    string
	env    []string
	words  []string // regular expressions
	oldest bool     // the oldest Nix must do as the current one does
}

// compare reads [-current] REGEXP… [DIR].
func (both nixes) compare(ts *testscript.TestScript, args []string, words int) comparison {
	c := comparison{TestScript: ts, nixes: both, env: os.Environ(), oldest: true}
	if len(args) > 0 && args[0] == "-current" {
		c.oldest, args = false, args[1:]
	}
	if len(args) < words || len(args) > words+1 {
		ts.Fatalf("want %d regular expressions and at most one directory", words)
	}
	c.words, c.dir = args[:words], ts.MkAbs(".")
	if len(args) > words {
		c.dir = ts.MkAbs(args[words])
	}
	for _, name := range []string{"HOME", "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"} {
		if value := ts.Getenv(name); value != "" {
			c.env = append(c.env, name+"="+value)
		}
	}
	return c
}

// nixSays returns the answer of the current Nix, which must also be that of the
// oldest one.
func (c comparison) nixSays(hash func(nix, string, []string) (string, error)) string {
	want, err := hash(c.current, c.dir, c.env)
	c.Check(err)
	switch old, err := hash(c.nixes.oldest, c.dir, c.env); {
	case c.oldest && err != nil:
		c.Fatalf("only the current Nix succeeds (add -current?): %v", err)
	case c.oldest && old != want:
		c.Fatalf("nix %s: %s, nix %s: %s", c.current.version, want, c.nixes.oldest.version, old)
	case !c.oldest && err == nil:
		c.Fatalf("nix %s succeeds too: leave out -current", c.nixes.oldest.version)
	}
	return want
}

// nixFails checks that Nix fails with the first words.
func (c comparison) nixFails() {
	versions := []nix{c.current}
	if c.oldest {
		versions = append(versions, c.nixes.oldest)
	} else if _, err := c.nixes.oldest.flakeHash(c.dir, c.env); err != nil {
		c.Fatalf("nix %s fails too: leave out -current", c.nixes.oldest.version)
	}
	for _, n := range versions {
		hash, err := n.flakeHash(c.dir, c.env)
		if err == nil {
			c.Fatalf("nix %s does not fail but prints %s", n.version, hash)
		}
		if !regexp.MustCompile(c.words[0]).MatchString(err.Error()) {
			c.Fatalf("%q does not match: %v", c.words[0], err)
		}
	}
}

// ownSays returns the answer of cachekey.
func (c comparison) ownSays() string {
	got, _, err := ownHash(c.dir, c.env)
	c.Check(err)
	return got
}

// ownFails checks that cachekey fails with words.
func (c comparison) ownFails(words string) {
	hash, stderr, err := ownHash(c.dir, c.env)
	if err == nil {
		c.Fatalf("cachekey does not fail but prints %s", hash)
	}
	if !regexp.MustCompile(words).MatchString(stderr) {
		c.Fatalf("%q does not match: %v", words, err)
	}
}

func (both nixes) same(hash func(nix, string, []string) (string, error)) func(*testscript.TestScript, []string) {
	return func(ts *testscript.TestScript, args []string) {
		c := both.compare(ts, args, 0)
		want := c.nixSays(hash)
		if got := c.ownSays(); got != want {
			ts.Fatalf("nix %s: %s, cachekey: %s", both.current.version, want, got)
		}
	}
}

func (both nixes) declines(ts *testscript.TestScript, args []string) {
	c := both.compare(ts, args, 0)
	c.nixSays(nix.flakeHash)
	c.ownFails("--nar-hash")
}

func (both nixes) fails(ts *testscript.TestScript, args []string) {
	c := both.compare(ts, args, 2)
	c.nixFails()
	c.ownFails(c.words[1])
}

func (both nixes) lenient(ts *testscript.TestScript, args []string) {
	c := both.compare(ts, args, 1)
	c.nixFails()
	c.ownSays()
}

func git(ts *testscript.TestScript, neg bool, args []string) {
	if err := ts.Exec("git", args...); (err != nil) != neg {
		ts.Fatalf("git: %v", err)
	}
}

func newRepo(ts *testscript.TestScript, args []string) {
	name := ts.MkAbs(fmt.Sprintf("%s/repo", ts.Getenv("WORK")))
	if len(args) == 1 {
		name = filepath.Join(ts.Getenv("WORK"), args[0])
	}
	for i := 2; ; i++ {
		if _, err := os.Lstat(name); err != nil {
			break
		}
		name = strings.TrimRight(name, "0123456789") + strconv.Itoa(i)
	}
	ts.Check(ts.Exec("git", "init", "-q", name))
	ts.Check(ts.Chdir(name))
	ts.Check(os.WriteFile(filepath.Join(name, "flake.nix"), []byte("{ outputs = _: { }; }\n"), 0o644))
	ts.Check(ts.Exec("git", "add", "flake.nix"))
	ts.Check(ts.Exec("git", "commit", "-q", "-m", "a flake"))
}

func write(ts *testscript.TestScript, args []string) {
	a := unescape(ts, args, 2)
	name := ts.MkAbs(a[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	ts.Check(os.WriteFile(name, []byte(a[1]), 0o644))
}

func link(ts *testscript.TestScript, args []string) {
	a := unescape(ts, args, 2)
	name := ts.MkAbs(a[1])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	ts.Check(os.Symlink(a[0], name))
}

func mode(ts *testscript.TestScript, args []string) {
	a := unescape(ts, args, 2)
	bits, err := strconv.ParseUint(a[0], 8, 12)
	ts.Check(err)
	ts.Check(unix.Chmod(ts.MkAbs(a[1]), uint32(bits)))
}

func fifo(ts *testscript.TestScript, args []string) {
	ts.Check(unix.Mkfifo(ts.MkAbs(unescape(ts, args, 1)[0]), 0o644))
}

func socket(ts *testscript.TestScript, args []string) {
	// The address of a socket must be short: relative to this directory.
	l, err := net.Listen("unix", ts.MkAbs(unescape(ts, args, 1)[0]))
	ts.Check(err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	ts.Check(l.Close())
}

func unescape(ts *testscript.TestScript, args []string, count int) []string {
	if len(args) != count {
		ts.Fatalf("%d arguments, not %d", len(args), count)
	}
	out := make([]string, count)
	for i, a := range args {
		var err error
		if out[i], err = strconv.Unquote(`"` + a + `"`); err != nil {
			ts.Fatalf("%q: %v", a, err)
		}
	}
	return out
}
