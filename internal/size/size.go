// Package size reads and writes numbers of bytes as people do: "500MB" is
// 500·10⁶ bytes, "500MiB" is 500·2²⁰.
package size

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Bytes is a number of bytes, and a flag's value.
type Bytes int64

// units are in the order in which Parse tries them: longer names first.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1}, {"", 1},
}

// Parse reads a number, with or without a fraction, and a unit: B, kB, MB, GB,
// TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024). Without a unit it is bytes.
func Parse(s string) (Bytes, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		number = strings.TrimRight(number, " ")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/u.bytes {
			return Bytes(n * u.bytes), nil
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || strings.Trim(number, "0123456789.") != "" || n*float64(u.bytes) >= math.MaxInt64 {
			break
		}
		return Bytes(n * float64(u.bytes)), nil
	}
	return 0, fmt.Errorf("%q is not a size such as 500MB or 1.5GiB", s)
}

// String gives b with a unit of 1000s, rounded to what a person reads: "1.5 MB".
func (b Bytes) String() string {
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

// Set reads a flag.
func (b *Bytes) Set(s string) (err error) {
	*b, err = Parse(s)
	return err
}

// Type names the value in a command's help.
func (b *Bytes) Type() string { return "SIZE" }
