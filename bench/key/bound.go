package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"cachekey/bench/internal/measure"
)

// The first arguments with which this program starts itself to measure a bound.
const (
	boundSerial = "bound-serial" // every file, one after the other, into one SHA-256
	boundHash   = "bound-hash"   // only the SHA-256, of as many bytes from memory
	boundRead   = "bound-read"   // only the reading, on all cores
)

// readBound does what the first argument says, if it is one of the above, and
// exits. The second argument is a file that lists the files to read, relative
// to the working directory and each ended by NUL.
func readBound() {
	if len(os.Args) != 3 {
		return
	}
	bound := map[string]func([]string) error{boundSerial: readSerially, boundHash: hashMemory, boundRead: readOnAllCores}[os.Args[1]]
	if bound == nil {
		return
	}
	list, err := os.ReadFile(os.Args[2])
	if err == nil {
		var names []string
		for name := range bytes.SplitSeq(bytes.TrimSuffix(list, []byte{0}), []byte{0}) {
			names = append(names, string(name))
		}
		err = bound(names)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
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

// read calls take with the bytes of a file or the target of a link.
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
