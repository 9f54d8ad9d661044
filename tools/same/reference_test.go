package main

import (
	"bytes"
	"os"
	"testing"

	"cachekey/internal/cli"
)

func TestReferenceIsFresh(t *testing.T) {
	page, err := os.ReadFile("../../docs/same.md")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := program().Run(t.Context(), &cli.IO{Out: &out}, []string{"help", "--markdown"}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, out.Bytes()) {
		t.Error("docs/same.md is not what the flags say: go generate ./...")
	}
}
