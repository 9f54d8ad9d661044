package main

import (
	"bytes"
	"os"
	"testing"

	"cachekey/docs/reference"
	"cachekey/internal/cli"
)

// The page of docs/ is the one that go generate ./... would write.
func TestPage(t *testing.T) {
	o := &cli.IO{Getenv: func(string) string { return "" }}
	root := program(o)
	cli.Complete(o, root)
	var page bytes.Buffer
	if err := reference.Page(root, &page); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/same.md")
	if err != nil || !bytes.Equal(got, page.Bytes()) {
		t.Errorf("docs/same.md is stale (%v): run go generate ./...", err)
	}
}
