package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cachekey/internal/cli"
	"cachekey/internal/message"
)

// A progress shows on a terminal which long operation is running, and how much of it
// is done.
type progress struct {
	done, total atomic.Int64 // bytes
	files       atomic.Int64
	stop        func()
}

// newProgress shows the operation what, such as "hashing the tree", until stop is
// called.
func newProgress(o *cli.IO, what string) *progress {
	p := &progress{}
	p.stop = o.Status(func(since time.Duration) string {
		return what + p.text() + ", " + message.Elapsed(since)
	})
	return p
}

// bytes sets how much is done.
func (p *progress) bytes(done, total int64) {
	p.done.Store(done)
	p.total.Store(total)
}

func (p *progress) read(files, bytes int64) {
	p.files.Store(files)
	p.done.Store(bytes)
}

func (p *progress) text() string {
	done := byteSize(p.done.Load())
	switch {
	case p.total.Load() > 0:
		return fmt.Sprintf(": %s of %s", done, byteSize(p.total.Load()))
	case p.files.Load() > 0:
		return fmt.Sprintf(": %s, %s", count(int(p.files.Load()), "file"), done)
	}
	return ""
}

// count formats a number of things: "1 file", "2 files".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// A byteSize is a number of bytes, and the value of a flag. As text it is "500MB" for
// 500·10⁶ bytes, "500MiB" for 500·2²⁰.
type byteSize int64

// units are in the order in which parseSize tries them: longer names first.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1}, {"", 1},
}

// parseSize reads a number, with or without a fraction, and a unit: B, kB, MB, GB,
// TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024). Without a unit it is bytes.
func parseSize(s string) (byteSize, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		number = strings.TrimRight(number, " ")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/u.bytes {
			return byteSize(n * u.bytes), nil
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || strings.Trim(number, "0123456789.") != "" || n*float64(u.bytes) >= math.MaxInt64 {
			break
		}
		return byteSize(n * float64(u.bytes)), nil
	}
	return 0, fmt.Errorf("%q is not a size such as 500MB or 1.5GiB", s)
}

// String returns b with a decimal unit, rounded for people: "1.5 MB".
func (b byteSize) String() string {
	n, unit := float64(b), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if n < 999.5 {
			break
		}
		n, unit = n/1000, u
	}
	if unit == "B" || n >= 99.95 {
		return fmt.Sprintf("%.0f %s", n, unit)
	}
	return fmt.Sprintf("%.1f %s", n, unit)
}

// Set parses a flag.
func (b *byteSize) Set(s string) (err error) {
	*b, err = parseSize(s)
	return err
}

// Type returns the name of the value in the help.
func (b *byteSize) Type() string { return "SIZE" }
