package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Bytes is a number of bytes, and the value of a flag. As text it is "500MB" for
// 500·10⁶ bytes, "500MiB" for 500·2²⁰.
type Bytes int64

// units are in the order in which ParseBytes tries them: longer names first.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1}, {"", 1},
}

// ParseBytes parses a number, with or without a fraction, and a unit: B, kB, MB, GB,
// TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024). Without a unit it is bytes.
func ParseBytes(s string) (Bytes, error) {
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

// String returns b with a decimal unit, rounded for people: "1.5 MB".
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

// Set parses a flag.
func (b *Bytes) Set(s string) (err error) {
	*b, err = ParseBytes(s)
	return err
}

// Type returns the name of the value in the help.
func (b *Bytes) Type() string { return "SIZE" }

// An Age is a duration, and the value of a flag. As text it is "7d" for seven days, or
// what time.ParseDuration reads.
type Age time.Duration

const day = 24 * time.Hour

// String returns a in days if it is a whole number of them.
func (a Age) String() string {
	if d := time.Duration(a); d%day != 0 {
		return d.String()
	}
	return strconv.FormatInt(int64(time.Duration(a)/day), 10) + "d"
}

// Set parses a flag.
func (a *Age) Set(s string) error {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int64
		if n, err = strconv.ParseInt(days, 10, 32); err == nil {
			d = time.Duration(n) * day
		}
	}
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a time such as 12h or 7d", s)
	}
	*a = Age(d)
	return nil
}

// Type returns the name of the value in the help.
func (a *Age) Type() string { return "TIME" }
