package key

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Compute opens each tracked file once, whatever it needs the file for: the
// narHash, an ingredient, inputs.self in flake.nix, root in same.yaml.
func TestComputeOpensEachFileOnce(t *testing.T) {
	dir := t.TempDir()
	files := []string{"flake.lock", "flake.nix", "same.yaml", "go.mod", "sub/a.nix", "sub/same.yaml", "sub/ordinary", "sub/large"}
	for _, name := range files {
		contents := "{ }\n"
		switch filepath.Base(name) {
		case "same.yaml":
			contents = "version: \"1\"\n"
		case "large":
			contents = strings.Repeat("x", 1<<20) // the NAR reads it in pieces
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(contents), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	watched := map[int32]string{}
	for _, sub := range []string{"", "sub/"} {
		// The kernel merges equal events in a row: a close separates two opens.
		wd, err := unix.InotifyAddWatch(fd, filepath.Join(dir, sub), unix.IN_OPEN|unix.IN_CLOSE)
		if err != nil {
			t.Fatal(err)
		}
		watched[int32(wd)] = sub
	}
	if _, err := Compute(t.Context(), Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	opens := map[string]int{}
	for buf := make([]byte, 64<<10); ; {
		n, err := unix.Read(fd, buf)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		// struct inotify_event: wd, mask, cookie, len, name
		for b := buf[:n]; len(b) > 0; {
			wd, mask, length := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[12:])
			name := string(bytes.TrimRight(b[16:16+length], "\x00"))
			b = b[16+length:]
			if mask&unix.IN_OPEN != 0 {
				opens[watched[wd]+name]++
			}
		}
	}
	for _, name := range files {
		if opens[name] != 1 {
			t.Errorf("%s: opened %d times, want once", name, opens[name])
		}
	}
}
