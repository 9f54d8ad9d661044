package nixenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inNix is set for the test binary that TestNix starts with a Nix over a store
// of its own: the directory with a static bash in bin.
const inNix = "CACHEKEY_TEST_NIXENV"

// TestNix runs TestInNix with each of the two versions of Nix that ./test
// provides, over an empty store that is bound to /nix for it alone.
func TestNix(t *testing.T) {
	if os.Getenv(inNix) != "" {
		t.Skip("already inside")
	}
	for _, name := range []string{"CACHEKEY_TEST_NIX", "CACHEKEY_TEST_NIX_OLDEST"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nix := os.Getenv(name)
			prefix := filepath.Dir(filepath.Dir(nix))
			bash := filepath.Join(prefix, "root/usr/bin/bash-static")
			if _, err := os.Stat(bash); nix == "" || err != nil || os.Geteuid() != 0 {
				lacking(t, "%s must name the nix of checks/offline/install-nix.sh, and root run the test: it is %q", name, nix)
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			static := filepath.Join(t.TempDir(), "bash")
			copyFile(t, bash, filepath.Join(static, "bin/bash"))
			cmd := exec.Command("../../checks/offline/with-nix.sh", prefix, filepath.Join(t.TempDir(), "store"),
				self, "-test.run=^TestInNix$", "-test.v", "-test.timeout=5m")
			cmd.Env = append(os.Environ(), inNix+"="+static)
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil || !strings.Contains(string(out), "--- PASS: TestInNix") {
				t.Errorf("%v", err)
			}
		})
	}
}

// lacking skips where a Nix is missing, but not on CI.
func lacking(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CACHEKEY_TEST_REQUIRE_NIX") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(data))
	if err := os.Chmod(to, 0o777); err != nil {
		t.Fatal(err)
	}
}
