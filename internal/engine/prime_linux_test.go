package engine

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// bytesRead returns how many bytes this process has read.
func bytesRead(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(data), "rchar: ")
	number, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEachByteIsReadOnce restores a large output in a fresh checkout. The task that
// depends on it and has it among its inputs is skipped, too.
func TestEachByteIsReadOnce(t *testing.T) {
	const size = 32 << 20
	made := &chained{t: t, root: t.TempDir()}
	manifest := `{"version": "1", "tasks": {
		"make": {"input": ["in"], "target": ["out"], "cmd": ["sh", "-c", "mkdir -p out/sub; head -c ` + strconv.Itoa(size) + ` /dev/zero >out/sub/big"]},
		"use": {"dependsOn": ["make"], "input": ["out/**", "out/sub/big"], "cmd": ["true"]}}}`
	made.write("same.yaml", manifest)
	made.write("in", "")
	made.run()
	fresh := &chained{t: t, root: t.TempDir()}
	fresh.write("same.yaml", manifest)
	fresh.write("in", "")
	fresh.must(os.CopyFS(fresh.path(".same/store"), os.DirFS(made.path(".same/store"))))
	before := bytesRead(t)
	if printed := fresh.run(); !strings.Contains(printed, "0 ran, 2 cached") {
		t.Fatal(printed)
	}
	if n := bytesRead(t) - before; n < size || n > size*5/4 {
		t.Errorf("read %d bytes for an output of %d", n, size)
	}
}
