package nixenv

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cachekey/internal/dotsame"
)

// A fakeFlake is a workspace with a flake, and a nix that answers from files.
type fakeFlake struct{ root, tree, derivations, log, nix string }

func newFakeFlake(t *testing.T) *fakeFlake {
	dir := t.TempDir()
	f := &fakeFlake{filepath.Join(dir, "w"), filepath.Join(dir, "tree"), filepath.Join(dir, "derivations"), filepath.Join(dir, "log"), filepath.Join(dir, "nix")}
	write(t, filepath.Join(f.root, "flake.nix"), "{}")
	write(t, filepath.Join(f.root, "flake.lock"), `{"version": 7, "root": "root", "nodes": {"root": {"inputs": {"nixpkgs": "n"}},
		"n": {"locked": {"type": "path", "path": "/n", "narHash": "sha256-n"}}}}`)
	write(t, f.tree, "sha256-1")
	f.set(t, "lint", "1")
	write(t, f.nix, fmt.Sprintf(`#!/bin/sh
echo "$*" >>%[1]s
case "$*" in
*'flake metadata'*)
	printf '{"path": "/nix/store/00000000000000000000000000000000-source", "locked": {"narHash": "%%s"}}' "$(cat %[2]s)" ;;
*broken*) echo 'error: this is why' >&2; exit 1 ;;
*) cat %[3]s ;;
esac
`, f.log, f.tree, f.derivations))
	if err := os.Chmod(f.nix, 0o755); err != nil {
		t.Fatal(err)
	}
	return f
}

func drv(name, version string) string {
	return "/nix/store/0000000000000000000000000000000" + version + "-" + name + ".drv"
}

func (f *fakeFlake) set(t *testing.T, name, version string) {
	data, _ := json.Marshal(map[string]string{name: drv(name, version), "fmt": drv("fmt", "1")})
	write(t, f.derivations, string(data))
}

// resolve resolves the own tools in a new run, and returns how often nix eval ran.
func (f *fakeFlake) resolve(t *testing.T, nix string, attrs ...string) (all []Resolution, evals int, warned string) {
	t.Helper()
	_ = os.Remove(f.log)
	w := &warnings{}
	r := &Resolver{Root: f.root, System: "x86_64-linux", Nix: nix, Warnf: w.warnf, NarHash: func(context.Context) (string, error) {
		data, err := os.ReadFile(f.tree)
		return string(data), err
	}}
	var sets []map[string]string
	for _, attr := range attrs {
		sets = append(sets, map[string]string{attr: ".#" + attr})
	}
	defer r.Prepare(t.Context(), sets)()
	for _, tools := range sets {
		res, err := r.Resolve(t.Context(), tools)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, res)
	}
	log, _ := os.ReadFile(f.log)
	return all, strings.Count(string(log), " eval "), w.String()
}

// TestOwnTools checks that own tools count by their derivations, for which Nix is asked
// once, and again when the tree changes.
func TestOwnTools(t *testing.T) {
	f := newFakeFlake(t)
	const without = "/nowhere/nix"
	first, evals, _ := f.resolve(t, f.nix, "lint", "fmt")
	if evals != 1 || first[0].Unknown() != nil || first[0].Tools[0].Locked != "derivation:"+drv("lint", "1") {
		t.Fatalf("got %+v in %d evaluations", first, evals)
	}
	for _, c := range []struct {
		name    string
		change  func()
		nix     string
		evals   int
		changed bool
		unknown string
	}{
		{"nothing", func() {}, without, 0, false, ""},
		{"without .same/local, as on CI", func() { os.RemoveAll(filepath.Join(f.root, dotsame.Local)) }, without, 0, false, ""},
		{"an edit that no package is made of", func() { write(t, f.tree, "sha256-2") }, f.nix, 1, false, ""},
		{"and back", func() { write(t, f.tree, "sha256-1") }, without, 0, true, "nix is not installed"},
		{"the last tree", func() { write(t, f.tree, "sha256-2") }, without, 0, false, ""},
		{"an edit of the package", func() { write(t, f.tree, "sha256-3"); f.set(t, "lint", "2") }, f.nix, 1, true, ""},
		{"another lock, same tree", func() {
			write(t, filepath.Join(f.root, "flake.lock"), mustRead(t, filepath.Join(f.root, "flake.lock"))+"\n")
		}, f.nix, 1, true, ""},
		{"forged", func() {
			write(t, filepath.Join(f.root, dotsame.Derivations), `[{"derivations": {"lint": "/tmp/evil.drv"}}]`)
		}, f.nix, 0, true, ""},
		{"a tree that changes meanwhile", func() {
			os.Remove(filepath.Join(f.root, dotsame.Derivations))
			write(t, f.tree, "sha256-4")
			write(t, f.nix, strings.Replace(mustRead(t, f.nix), "$(cat ", "$(echo sha256-other; : ", 1))
		}, f.nix, 1, true, ""},
		{"is not cached", func() {}, f.nix, 1, true, ""},
	} {
		c.change()
		got, evals, warned := f.resolve(t, c.nix, "lint", "fmt")
		if (got[0].Digest() != first[0].Digest()) != c.changed || evals != c.evals || (warned != "") != (c.name == "forged") {
			t.Errorf("%s: got another digest %v in %d evaluations, want %v in %d; warned %q", c.name, !c.changed, evals, c.changed, c.evals, warned)
		}
		if unknown := got[0].Unknown(); (unknown != nil) != (c.unknown != "") || c.unknown != "" && !strings.Contains(unknown.Error(), c.unknown) {
			t.Errorf("%s: got %v, want %q", c.name, unknown, c.unknown)
		}
	}
}

// TestOwnToolBroken checks that a package that does not evaluate makes only itself
// unknown.
func TestOwnToolBroken(t *testing.T) {
	f := newFakeFlake(t)
	got, _, _ := f.resolve(t, f.nix, "broken", "lint")
	if err := got[0].Unknown(); err == nil || !strings.Contains(err.Error(), `tool "broken" (.#broken): nix: this is why`) {
		t.Errorf("got %v", err)
	}
	if err := got[1].Unknown(); err != nil {
		t.Errorf("lint: %v", err)
	}
}

// TestOwnToolAnswers checks that the answers of the last 20 trees are cached, and that a
// file with more is refused.
func TestOwnToolAnswers(t *testing.T) {
	f := newFakeFlake(t)
	for i := range 25 {
		write(t, f.tree, fmt.Sprintf("sha256-%d", i))
		f.resolve(t, f.nix, "lint")
	}
	data := mustRead(t, filepath.Join(f.root, dotsame.LocalDerivations))
	if all, err := parseAnswers([]byte(data)); err != nil || len(all) != maxAnswers {
		t.Errorf("got %d answers, %v", len(all), err)
	}
	data = mustRead(t, filepath.Join(f.root, dotsame.Derivations))
	if all, err := parseAnswers([]byte(data)); err != nil || len(all) != 1 {
		t.Errorf("got %d carried answers, %v", len(all), err)
	}
	for _, bad := range []string{
		`{}`, `[{"derivations": {"a b": "` + drv("a", "1") + `"}}]`, `[{"derivations": {"a": "/nix/store/x.drv"}}]`, `[{"state": "0"}]`,
		"[" + strings.Repeat(`{"derivations": {}},`, maxAnswers) + `{"derivations": {}}]`,
	} {
		if _, err := parseAnswers([]byte(bad)); err == nil {
			t.Errorf("%.80s was accepted", bad)
		}
	}
}

// TestHostileAnswersTakeNoMemory parses answers that would take many times as much
// memory as their text.
func TestHostileAnswersTakeNoMemory(t *testing.T) {
	for name, c := range map[string]struct{ start, part, end string }{
		"derivations":  {`[{"derivations":{`, `"":"",`, `"":""}}]`},
		"numbered":     {`[{"derivations":{`, "", `"":""}}]`},
		"empty":        {`[`, `{"derivations":{}}  ,`, `{}]`},
		"one of each":  {`[`, `{"derivations":{"":""}},`, `{}]`},
		"long answers": {`[`, `{"a":"bbbbbbbbbbbbbbbbb"},`, `{}]`},
	} {
		var text strings.Builder
		text.WriteString(c.start)
		for i := 0; text.Len() < maxAnswerFile-100; i++ {
			if text.WriteString(c.part); c.part == "" {
				fmt.Fprintf(&text, `"%x":"",`, i)
			}
		}
		text.WriteString(c.end)
		data := []byte(text.String())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := parseAnswers(data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 2*uint64(len(data)) {
			t.Errorf("%s: got %v, allocated %d bytes for %d", name, err, took, len(data))
		}
	}
}
