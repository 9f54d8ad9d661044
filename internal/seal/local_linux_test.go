package seal

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A verdict that can't be saved is returned with a warning. Permissions do not apply
// to root, so root becomes nobody.
func TestVerdictThatCannotBeSaved(t *testing.T) {
	root := sealed(t, nil)
	local := filepath.Join(root, ".same/local")
	must(t, os.MkdirAll(local, 0o755))
	must(t, os.Chmod(local, 0o555))
	defer os.Chmod(local, 0o755)
	if os.Getuid() == 0 {
		for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			must(t, os.Chmod(dir, 0o755))
		}
		runtime.LockOSThread() // the user is this thread's
		defer runtime.UnlockOSThread()
		must(t, unix.Setfsuid(65534))
		defer unix.Setfsuid(0)
	}
	v, _, warnings := verify(t, root, VerifyOptions{})
	if v.State != Whole || len(warnings) != 1 || !strings.Contains(warnings[0], "permission denied") {
		t.Errorf("%+v, warnings %q", v, warnings)
	}
}
