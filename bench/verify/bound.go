package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/zeebo/blake3"

	"cachekey/bench/internal/measure"
)

// boundHash is the first argument with which this program starts itself to
// measure the bound. The second is a file that lists files, each ended by a newline.
const boundHash = "bound-hash"

// readBound reads and hashes every file of the list, on all cores, if the first
// argument says so, and exits.
func readBound() {
	if len(os.Args) != 3 || os.Args[1] != boundHash {
		return
	}
	list, err := os.ReadFile(os.Args[2])
	if err == nil {
		err = measure.OnAllCores(strings.Split(strings.TrimSpace(string(list)), "\n"), func() func(string) error {
			buffer, hash := make([]byte, 128<<10), blake3.New()
			return func(name string) error { return hashFile(name, buffer, hash) }
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func hashFile(name string, buffer []byte, hash *blake3.Hasher) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	hash.Reset()
	for {
		n, err := file.Read(buffer)
		hash.Write(buffer[:n])
		if err == io.EOF {
			hash.Sum(buffer[:0])
			return nil
		}
		if err != nil {
			return err
		}
	}
}
