package main

import (
	"bytes"
	"os"
	"testing"

	"cachekey/docs/reference"
	"cachekey/internal/cli"
)

// TestPage checks that the page in docs/ is the output of go generate ./....
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
