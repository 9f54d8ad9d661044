package samedir

import (
	"os"
	"path/filepath"
	"testing"
)

// Temporary files of killed runs go; what somebody's link leads to does not.
func TestClearTemp(t *testing.T) {
	d := Open(t.TempDir())
	f, err := d.Temp()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := d.ClearTemp(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Name()); err == nil {
		t.Error("it is still there")
	}

	outside := t.TempDir()
	precious := filepath.Join(outside, "tmp/precious")
	if err := os.MkdirAll(precious, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(d.Path(Local)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, d.Path(Local)); err != nil {
		t.Fatal(err)
	}
	_ = d.ClearTemp()
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("what a link leads to: %v", err)
	}
}
