package main

import (
	"io"
	"os"
	"strings"

	"github.com/zeebo/blake3"

	"cachekey/bench/internal/measure"
)

// boundHash is the first argument with which this program starts itself to
// measure the bound. The second is a file that lists files, each ended by a newline.
const boundHash = "bound-hash"

// bounds are the functions for measure.Bound.
var bounds = map[string]func([]string) error{boundHash: hashAll}

// hashAll reads and hashes every file of the list args[0], on all cores.
func hashAll(args []string) error {
	list, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	return measure.OnAllCores(strings.Split(strings.TrimSpace(string(list)), "\n"), func() func(string) error {
		buffer, hash := make([]byte, 128<<10), blake3.New()
		return func(name string) error { return hashFile(name, buffer, hash) }
	})
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
