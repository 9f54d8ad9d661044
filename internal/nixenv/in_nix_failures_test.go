package nixenv

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cachekey/internal/dotsame"
	"cachekey/internal/message"
)

func (f *fixture) failures(t *testing.T) {
	for _, tt := range []struct {
		name, spec string
		change     func(*Resolver)
		err, hint  string
	}{
		{"no such package", "nixpkgs#nothing", nil, "-source' has no package 'nothing' for " + f.system, "print-dev-env --show-trace --file .same/local/environments/"},
		{"a package that does not build", "nixpkgs#broken", nil, "this is why", "for details"},
		{"a package that takes too long", "nixpkgs#endless", func(r *Resolver) { r.Timeout = 3 * time.Second }, "nix took longer than 3s", ""},
		{"no Nix", "nixpkgs#nothing", func(r *Resolver) { r.Nix = "no-such-nix" }, "nix is not installed", "install Nix"},
		{"not Nix", "nixpkgs#nothing", func(r *Resolver) { r.Nix = "true" }, "parsing the output", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := f.resolver(t)
			if tt.change != nil {
				tt.change(r)
			}
			tools := map[string]string{"x": tt.spec}
			res, err := r.Resolve(t.Context(), tools)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Environment(t.Context(), tools, res)
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(message.Hint(err), tt.hint) ||
				!strings.HasPrefix(err.Error(), "the environment of "+tt.spec+": ") || strings.ContainsAny(err.Error(), "\n…") {
				t.Errorf("got %v, hint %q", err, message.Hint(err))
			}
			if _, err := os.Stat(filepath.Join(f.root, dotsame.EnvironmentPath(tools))); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("something was cached: %v", err)
			}
		})
	}
}

// concurrent checks that an environment that many tasks need is made once.
func (f *fixture) concurrent(t *testing.T) {
	r, _ := f.resolver(t)
	r.Nix = filepath.Join(t.TempDir(), "nix")
	log := r.Nix + ".log"
	write(t, r.Nix, "#!/bin/sh\necho >>"+log+"\nexec nix \"$@\"\n")
	if err := os.Chmod(r.Nix, 0o777); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			tools := map[string]string{"other": "nixpkgs#hello"}
			res, err := r.Resolve(t.Context(), tools)
			if err == nil {
				_, err = r.Environment(t.Context(), tools, res)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(mustRead(t, log)); n != 1 {
		t.Errorf("nix ran %d times", n)
	}
}

// readOnly checks that an environment that cannot be cached is made anyway.
func (f *fixture) readOnly(t *testing.T) {
	r, warned := f.resolver(t)
	cache := filepath.Join(f.root, ".same/cache")
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	write(t, cache, "") // root may write to a read-only directory, but not into a file
	if path := valueOf(f.get(t, r, helloTool), "PATH"); !strings.HasSuffix(path, "-hello/bin") {
		t.Errorf("PATH is %s", path)
	}
	if !strings.Contains(warned.String(), "is not cached") {
		t.Errorf("warned %q", warned)
	}
}
