package realise

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cachekey/internal/dotsame"
)

// TestRealNix fetches from a binary cache and collects garbage, with the oldest and
// the newest supported version of Nix.
func TestRealNix(t *testing.T) {
	for _, variable := range []string{"CACHEKEY_TEST_NIX", "CACHEKEY_TEST_NIX_OLDEST"} {
		t.Run(variable, func(t *testing.T) {
			nix := os.Getenv(variable)
			if nix == "" {
				if os.Getenv("CACHEKEY_TEST_REQUIRE_NIX") != "" {
					t.Fatalf("%s does not name a nix", variable)
				}
				t.Skipf("%s does not name a nix (./test sets it)", variable)
			}
			realNix(t, nix)
		})
	}
}

func realNix(t *testing.T, nix string) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("NIX_REMOTE", "local?root="+dir+"/machine")
	t.Setenv("NIX_CONFIG", "experimental-features = nix-command\nsubstituters = file://"+dir+"/binary-cache\nrequire-sigs = false\nbuild-users-group =\n")
	nixStore := filepath.Join(filepath.Dir(nix), "nix-store")
	run := func(program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		var printed strings.Builder
		cmd.Stderr = &printed
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", program, args, err, &printed)
		}
		return strings.TrimSpace(string(out))
	}
	// Nix looks for roots in all processes, and sometimes fails because one of them
	// ends in the meantime.
	collect := func() {
		t.Helper()
		var out []byte
		var err error
		for range 20 {
			if out, err = exec.Command(nixStore, "--gc").CombinedOutput(); err == nil {
				return
			}
			time.Sleep(250 * time.Millisecond)
		}
		t.Fatalf("nix-store --gc: %v\n%s", err, out)
	}
	add := func(name, content string) string {
		p := filepath.Join(dir, "src", name)
		must(t, os.MkdirAll(filepath.Join(p, "bin"), 0o777))
		must(t, os.WriteFile(filepath.Join(p, "bin", "tool"), []byte(content), 0o777))
		return run(nixStore, "--add", p)
	}
	fetchable, lost := add("fetchable", "1"), add("lost", "2")
	run(nix, "copy", "--to", "file://"+dir+"/binary-cache", fetchable)
	run(nixStore, "--delete", fetchable, lost)

	root, store := filepath.Join(dir, "workspace"), filepath.Join(dir, "machine", "nix", "store")
	environment := func(id, path string) string {
		data, err := json.Marshal([]string{"PATH=" + path + "/bin", "system=x86_64-linux"})
		must(t, err)
		p := filepath.Join(root, dotsame.Environments, id+".json")
		must(t, os.MkdirAll(filepath.Dir(p), 0o777))
		must(t, os.WriteFile(p, data, 0o666))
		return p
	}
	good, bad := environment("aa", fetchable), environment("bb", lost)
	realise := func() *Result {
		t.Helper()
		r, err := Run(context.Background(), Options{Root: root, System: "x86_64-linux", Timeout: time.Minute,
			Describe: func(string) string { return "" }, Infof: t.Logf, Warnf: t.Logf, nixStore: nixStore, store: store})
		must(t, err)
		return r
	}
	// A path that cannot be fetched does not prevent the other from being fetched.
	if r := realise(); *r != (Result{Kept: 1, Dropped: 1, Fetched: 1}) || !exists(good) || exists(bad) {
		t.Errorf("got %+v", r)
	}
	collect()
	if !exists(filepath.Join(store, filepath.Base(fetchable), "bin", "tool")) {
		t.Error("Nix collected a path that the environment needs")
	}
	must(t, os.Remove(good))
	realise()
	collect()
	if exists(filepath.Join(store, filepath.Base(fetchable))) {
		t.Error("the root outlived its environment")
	}
}
