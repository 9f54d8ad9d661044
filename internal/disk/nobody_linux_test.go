package disk

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRemoveWithoutPermissions removes directories that their owner may not read
// or write. Root may do everything, so root runs this as nobody.
func TestRemoveWithoutPermissions(t *testing.T) {
	top := t.TempDir()
	if os.Getuid() == 0 {
		const nobody = 65534
		if err := os.Chmod(filepath.Dir(top), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(top, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		runtime.LockOSThread() // the user is this thread's
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer unix.Setfsuid(0)
	}
	for _, p := range []string{"a/b/c/d", "a/ro/x"} {
		if err := os.MkdirAll(filepath.Join(top, p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, p, "file"), []byte("123"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for p, mode := range map[string]os.FileMode{"a/b/c/d": 0, "a/b/c": 0o500, "a/b": 0o400, "a/ro": 0o555, ".": 0o555} {
		defer os.Chmod(filepath.Join(top, p), 0o700)
		if err := os.Chmod(filepath.Join(top, p), mode); err != nil && !os.IsPermission(err) {
			t.Fatal(err)
		}
	}
	if _, err := os.ReadDir(filepath.Join(top, "a/b/c")); err == nil {
		t.Fatal("the permissions have no effect")
	}
	d, err := Open(top)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Remove("a"); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(top); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
