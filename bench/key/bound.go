package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"

	"cachekey/bench/internal/measure"
)

// The first argument with which this program starts itself to measure a bound.
const (
	boundSerial = "bound-serial" // every file, one after the other, into one SHA-256
	boundHash   = "bound-hash"   // only the SHA-256, of as many bytes from memory
	boundRead   = "bound-read"   // only the reading, on all cores
)

// bounds are the functions for measure.Bound. Their argument is a file that lists the
// files to read, relative to the working directory and each ended by NUL.
var bounds = map[string]func([]string) error{
	boundSerial: onList(readSerially),
	boundHash:   onList(hashMemory),
	boundRead:   onList(readOnAllCores),
}

func onList(bound func(names []string) error) func(args []string) error {
	return func(args []string) error {
		list, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		return bound(strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00"))
	}
}

const bufferSize = 128 << 10

func readSerially(names []string) error {
	hash := sha256.New()
	buffer := make([]byte, bufferSize)
	for _, name := range names {
		err := read(name, buffer, func(b []byte) { hash.Write(b) })
		if err != nil {
			return err
		}
	}
	fmt.Printf("%x\n", hash.Sum(nil))
	return nil
}

func hashMemory(names []string) error {
	var total int64
	for _, name := range names {
		info, err := os.Lstat(name)
		if err != nil {
			return err
		}
		total += info.Size()
	}
	hash := sha256.New()
	buffer := make([]byte, bufferSize)
	for ; total > 0; total -= bufferSize {
		hash.Write(buffer[:min(total, bufferSize)])
	}
	fmt.Printf("%x\n", hash.Sum(nil))
	return nil
}

func readOnAllCores(names []string) error {
	return measure.OnAllCores(names, func() func(string) error {
		buffer := make([]byte, bufferSize)
		return func(name string) error { return read(name, buffer, func([]byte) {}) }
	})
}

// read calls take with the contents of a file or the target of a link.
func read(name string, buffer []byte, take func([]byte)) error {
	target, err := os.Readlink(name)
	if err == nil {
		take([]byte(target))
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	for {
		n, err := file.Read(buffer)
		take(buffer[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
