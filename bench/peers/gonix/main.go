// Command gonix prints the narHash of a directory as go-nix computes it.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"

	"github.com/nix-community/go-nix/pkg/nar"
)

func main() {
	hash := sha256.New()
	// go-nix writes every length and padding by itself; unbuffered it would be
	// judged by its small writes.
	w := bufio.NewWriterSize(hash, 1<<16)
	err := nar.DumpPath(w, os.Args[1])
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gonix: error:", err)
		os.Exit(1)
	}
	fmt.Println("sha256-" + base64.StdEncoding.EncodeToString(hash.Sum(nil)))
}
