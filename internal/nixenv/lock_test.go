package nixenv

import (
	"cmp"
	"path/filepath"
	"strings"
	"testing"

	"cachekey/internal/message"
)

// locked is a flake.lock as Nix writes it. It has an input that follows another's,
// which follows one of the root.
const locked = `{"version": 7, "root": "root", "nodes": {
  "root": {"inputs": {"nixpkgs": "nixpkgs_2", "utils": "utils", "unstable": ["utils", "nixpkgs"], "loop": ["loop2"], "loop2": ["loop"],
    "source": "source", "subdir": "subdir", "forge": "forge", "git": "git", "tar": "tar", "rel": "rel", "odd": "odd", "gone": "nowhere"}},
  "nixpkgs_2": {"locked": {"type": "github", "owner": "NixOS", "repo": "nixpkgs", "rev": "e8273b29fe1390ec8d4603f2477357555291432e",
    "narHash": "sha256-ETYnV9U7Sr+A45dohzZdfCZKOss4qrTkO+wgNZNvEc0=", "lastModified": 1782918843}},
  "utils": {"inputs": {"nixpkgs": ["nixpkgs"]}, "locked": {"type": "path", "path": "/a b/c", "narHash": "sha256-x"}},
  "source": {"flake": false, "locked": {"type": "path", "path": "/src", "narHash": "sha256-x"}},
  "subdir": {"locked": {"type": "github", "owner": "a", "repo": "b", "dir": "nix", "rev": "e8273b29fe1390ec8d4603f2477357555291432e", "narHash": "sha256-y"}},
  "forge": {"locked": {"type": "gitlab", "owner": "group/sub", "repo": "b", "host": "git.example", "rev": "e8273b29fe1390ec8d4603f2477357555291432e"}},
  "git": {"locked": {"type": "git", "url": "https://git.example/r.git", "ref": "main", "rev": "e8273b29fe1390ec8d4603f2477357555291432e", "submodules": true, "narHash": "sha256-z"}},
  "tar": {"locked": {"type": "tarball", "url": "https://x.example/a.tar.gz?x=1", "narHash": "sha256-w"}},
  "rel": {"locked": {"type": "path", "path": "./sub", "narHash": "sha256-v"}},
  "odd": {"locked": {"type": "carrier-pigeon", "narHash": "sha256-u"}}}}`

// TestFlakeTools checks references against those that `nix flake metadata --json`
// prints in locks and url for such nodes.
func TestFlakeTools(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "flake.nix"), "{ outputs = _: { }; }")
	write(t, filepath.Join(root, "flake.lock"), locked)
	const nixpkgs = "github:NixOS/nixpkgs/e8273b29fe1390ec8d4603f2477357555291432e?narHash=sha256-ETYnV9U7Sr%2BA45dohzZdfCZKOss4qrTkO%2BwgNZNvEc0%3D"
	const nixpkgsHash = "sha256-ETYnV9U7Sr+A45dohzZdfCZKOss4qrTkO+wgNZNvEc0="
	const revision = "e8273b29fe1390ec8d4603f2477357555291432e"
	for _, tt := range []struct{ spec, flake, locked, shell, err, hint string }{
		{spec: "nixpkgs#go", flake: nixpkgs, locked: nixpkgsHash},
		{spec: "unstable#go", flake: nixpkgs, locked: nixpkgsHash},
		{spec: "utils#go", flake: "path:/a%20b/c?narHash=sha256-x", locked: "sha256-x"},
		{spec: "subdir#go", flake: "github:a/b/" + revision + "?dir=nix&narHash=sha256-y", locked: "sha256-y?dir=nix"},
		{spec: "forge#go", flake: "gitlab:group%2Fsub/b/" + revision + "?host=git.example", locked: revision},
		{spec: "git#go", flake: "git+https://git.example/r.git?narHash=sha256-z&ref=main&rev=" + revision + "&submodules=1", locked: "sha256-z"},
		{spec: "tar#go", flake: "tarball+https://x.example/a.tar.gz?x=1&narHash=sha256-w", locked: "sha256-w"},
		{spec: "github:NixOS/nixpkgs/" + revision + "#go", flake: "github:NixOS/nixpkgs/" + revision, locked: "github:NixOS/nixpkgs/" + revision, shell: "github:NixOS/nixpkgs/" + revision},
		{spec: "nixpkg#go", err: `flake.lock has no input "nixpkg"`, hint: "did you mean nixpkgs#go?"},
		{spec: "other#go", err: `flake.lock has no input "other"`, hint: "add it to the inputs of flake.nix, then run nix flake lock"},
		{spec: "loop#go", err: "follows itself"},
		{spec: "gone#go", err: `no node "nowhere"`},
		{spec: "source#go", err: "is not a flake"},
		{spec: "rel#go", err: "is a directory of this repository", hint: ".#NAME"},
		{spec: "odd#go", err: `type "carrier-pigeon"`},
		{spec: "github:NixOS/nixpkgs/nixos-unstable#go", err: "is not locked", hint: "write NAME#go"},
		{spec: "./sub#go", err: "is not locked"},
	} {
		t.Run(tt.spec, func(t *testing.T) {
			r := &Resolver{Root: root, System: "x86_64-linux"}
			res, err := r.Resolve(t.Context(), map[string]string{"tool": tt.spec})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(message.Hint(err), tt.hint) ||
					!strings.HasPrefix(err.Error(), `tool "tool" (`+tt.spec+"): ") {
					t.Errorf("got %v, hint %q", err, message.Hint(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Tools[0]; got.Flake != tt.flake || got.Locked != tt.locked {
				t.Errorf("got %s, %s, want %s, %s", got.Flake, got.Locked, tt.flake, tt.locked)
			}
			// The lock's nixpkgs makes the shell, unless the tools bring their own.
			if want := cmp.Or(tt.shell, nixpkgs); res.shell.Flake != want {
				t.Errorf("shell: got %s, want %s", res.shell.Flake, want)
			}
		})
	}
}

func TestWithoutLock(t *testing.T) {
	outer := t.TempDir()
	write(t, filepath.Join(outer, "flake.nix"), "")
	for _, tt := range []struct{ name, file, text, err, hint string }{
		{"no flake", ".git/HEAD", "", "is not in a flake", "go@1.25.4"},
		{"no lock", "flake.nix", "", "flake.lock", "run nix flake lock"},
		{"a broken lock", "flake.lock", "{", "unexpected end of JSON", "restore it from git"},
		{"an unknown version", "flake.lock", `{"version": 8}`, "version 8", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := filepath.Join(outer, tt.name)
			write(t, filepath.Join(root, ".git", "HEAD"), "")
			if tt.name != "no flake" {
				write(t, filepath.Join(root, "flake.nix"), "")
			}
			write(t, filepath.Join(root, tt.file), tt.text)
			r := &Resolver{Root: root, System: "x86_64-linux"}
			_, err := r.Resolve(t.Context(), map[string]string{"go": "nixpkgs#go"})
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(message.Hint(err), tt.hint) {
				t.Errorf("got %v, hint %q", err, message.Hint(err))
			}
		})
	}
}

// TestDigest checks which changes of a resolution change its digest.
func TestDigest(t *testing.T) {
	base := Resolution{System: "x86_64-linux", shell: Tool{Locked: "n"}, Tools: []Tool{
		{Alias: "a", Spec: "nixpkgs#a", Flake: "path:/here", Attr: "a", Locked: "sha256-1"},
		{Alias: "b", Spec: "nixpkgs#b", Flake: "path:/here", Attr: "b", Locked: "sha256-1"}}}
	for name, tt := range map[string]struct {
		change func(*Resolution)
		same   bool
	}{
		"nothing":           {func(*Resolution) {}, true},
		"another directory": {func(r *Resolution) { r.Tools[0].Flake = "path:/there" }, true},
		"another content":   {func(r *Resolution) { r.Tools[1].Locked = "sha256-2" }, false},
		"another attribute": {func(r *Resolution) { r.Tools[1].Attr = "c" }, false},
		"another alias":     {func(r *Resolution) { r.Tools[1].Alias = "c" }, false},
		"another system":    {func(r *Resolution) { r.System = "aarch64-linux" }, false},
		"another nixpkgs":   {func(r *Resolution) { r.shell.Locked = "m" }, false},
		"one tool less":     {func(r *Resolution) { r.Tools = r.Tools[:1] }, false},
		"pinned":            {func(r *Resolution) { r.Pinned = "x" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			changed := base
			changed.Tools = append([]Tool(nil), base.Tools...)
			tt.change(&changed)
			if got := changed.Digest() == base.Digest(); got != tt.same {
				t.Errorf("same digest: got %v, want %v", got, tt.same)
			}
		})
	}
}
