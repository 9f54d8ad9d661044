package main

import (
	"bytes"
	"os"
	"testing"
)

func TestPictureIsFresh(t *testing.T) {
	in, err := os.Open("../../.github/workflows/ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	want, err := os.ReadFile("../flow.svg")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := draw(in, &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("docs/flow.svg is not what ci.yml says: go generate ./docs/flow")
	}
}
