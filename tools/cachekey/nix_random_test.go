package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestNixRandom compares cachekey with the current Nix on random repositories with
// random histories. CACHEKEY_TEST_RANDOM is the number of repositories, and
// CACHEKEY_TEST_SEED repeats those of an earlier run. A failure names its own seed,
// and prints the steps in the verbs of testdata/nix.
func TestNixRandom(t *testing.T) {
	both := requireNix(t)
	count, seed := randomness(t, 12)
	for s := seed; s < seed+count; s++ {
		t.Run(strconv.FormatUint(s, 10), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, filepath.Join(t.TempDir(), "repo"), s)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("CACHEKEY_TEST_SEED=%d, done until then:\n%s", s, w.done.String())
				}
			})
			for range 4 {
				w.live(12)
				compareRandom(t, both.current, w.root)
			}
		})
	}
}

// randomness returns the number of random cases, and the seed of the first.
func randomness(t *testing.T, usual uint64) (count, seed uint64) {
	t.Helper()
	count, seed = usual, uint64(time.Now().UnixNano())%1_000_000_000
	for variable, value := range map[string]*uint64{"CACHEKEY_TEST_RANDOM": &count, "CACHEKEY_TEST_SEED": &seed} {
		text := os.Getenv(variable)
		if text == "" {
			continue
		}
		var err error
		if *value, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
	}
	t.Logf("CACHEKEY_TEST_SEED=%d CACHEKEY_TEST_RANDOM=%d", seed, count)
	return count, seed
}

// noAnswer matches the errors of Nix for repositories that cachekey may accept: Nix
// reads every path that is not clean, even if it does not exist, and .gitmodules.
var noAnswer = regexp.MustCompile(`does not exist|unsupported type|\.gitmodules|Not a directory|is a symlink|does not appear to be a git repository`)

func compareRandom(t *testing.T, n nix, dir string) {
	t.Helper()
	want, err := n.flakeHash(dir, os.Environ())
	got, _, ownErr := ownHash(dir, os.Environ())
	switch {
	case err != nil && !noAnswer.MatchString(err.Error()):
		t.Fatalf("unknown error of Nix: %v", err)
	case err != nil: // cachekey may succeed or fail
	case ownErr != nil:
		t.Fatalf("Nix: %s, cachekey: %v", want, ownErr)
	case got != want:
		t.Fatalf("Nix: %s, cachekey: %s", want, got)
	}
}
