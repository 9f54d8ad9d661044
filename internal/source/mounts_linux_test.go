package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A directory that is a mount is searched as Nix does: it finds a flake in the first
// directory outside, and gives up below that. Then there is no hash, because the
// one of the directory itself would be another flake's than one means.
func TestMounts(t *testing.T) {
	if dir := os.Getenv("CACHEKEY_TEST_MOUNTS"); dir != "" {
		insideMounts(t, dir)
		return
	}
	dir := t.TempDir()
	for _, d := range []string{"flake/build", "flake/far/build", "none/build"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "flake/flake.nix"), []byte("{ outputs = _: { }; }"), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace: %v: %s", err, out)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-euc",
		`for d in flake/build flake/far/build none/build; do mount -t tmpfs none "$CACHEKEY_TEST_MOUNTS/$d"; done; exec "$0" -test.run '^TestMounts$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "CACHEKEY_TEST_MOUNTS="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func insideMounts(t *testing.T, dir string) {
	for at, want := range map[string]string{"flake/build": "flake", "none/build": "none/build"} {
		p, err := find(filepath.Join(dir, at), false)
		if err != nil || p.root != filepath.Join(dir, want) {
			t.Errorf("%s: got %q, %v, want %q", at, p.root, err, want)
		}
	}
	for _, withoutFlake := range []bool{false, true} {
		if p, err := find(filepath.Join(dir, "flake/far/build"), withoutFlake); err == nil {
			t.Errorf("flake/far/build: got %q, want an error", p.root)
		}
	}
}

// TestRootIsTheCheckout reads a checkout at /, as in some containers: it is the files
// that git tracks there. Nix would take the whole file system.
func TestRootIsTheCheckout(t *testing.T) {
	ctx := t.Context()
	hash := func(dir string) (Hash, error) {
		tree, err := Open(ctx, dir, Options{})
		if err != nil {
			return Hash{}, err
		}
		defer tree.Close()
		return tree.NarHash(ctx)
	}
	const make = `echo "{ outputs = _: { }; }" >flake.nix; git init -q .; git add flake.nix`
	if want := os.Getenv("CACHEKEY_TEST_ROOT"); want != "" {
		if got, err := hash("/"); err != nil || got.String() != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		return
	}
	dir := t.TempDir()
	if out, err := exec.Command("sh", "-euc", "cd \"$0\"; "+make, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := hash(dir)
	if err != nil {
		t.Fatal(err)
	}
	const enter = `mount -t tmpfs none "$0"; cd "$0"; mkdir up work root; mount -t overlay none -o lowerdir=/,upperdir=up,workdir=work root; mount --rbind /dev root/dev`
	if out, err := exec.Command("unshare", "-m", "sh", "-euc", enter, t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("no file system over / here: %v: %s", err, out)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-euc",
		enter+`; cp "$1" root/source.test; cd root; `+make+`; exec chroot . /source.test -test.run "^TestRootIsTheCheckout$"`, t.TempDir(), os.Args[0])
	cmd.Env = append(os.Environ(), "CACHEKEY_TEST_ROOT="+want.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
