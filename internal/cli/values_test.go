package cli

import (
	"testing"

	"github.com/spf13/pflag"
)

var _ pflag.Value = new(Bytes)

func TestParseBytes(t *testing.T) {
	for in, want := range map[string]Bytes{
		"0": 0, "17": 17, "17B": 17, "500MB": 500_000_000, "500 MB": 500_000_000, "1kB": 1000, "1KB": 1000, "1KiB": 1024,
		"1.5GiB": 1610612736, "2TB": 2_000_000_000_000, "1TiB": 1099511627776, "3MiB": 3145728, "7GB": 7_000_000_000, "9223372036854775807": 9223372036854775807,
	} {
		if got, err := ParseBytes(in); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "MB", "-1", "-1MB", "1e9", "inf", "NaN", "0x10", "1 M", "500mb", "1PB", "9223372036854775808", "9999999999TB", "1.2.3MB", "1_000"} {
		if got, err := ParseBytes(in); err == nil {
			t.Errorf("ParseBytes(%q) = %d", in, got)
		}
	}
}

func TestBytesString(t *testing.T) {
	for in, want := range map[Bytes]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1500: "1.5 kB", 999_400: "999 kB", 999_600: "1.0 MB", 500_000_000: "500 MB", 7_250_000_000: "7.2 GB",
	} {
		if got := in.String(); got != want {
			t.Errorf("%d: got %q, want %q", int64(in), got, want)
		}
	}
}

func TestAge(t *testing.T) {
	for in, want := range map[string]string{"7d": "7d", "0": "0d", "12h": "12h0m0s", "48h": "2d", "1h30m": "1h30m0s"} {
		var a Age
		if err := a.Set(in); err != nil || a.String() != want {
			t.Errorf("%q: got %v, %v, want %s", in, a, err, want)
		}
	}
	for _, in := range []string{"", "d", "7", "-1d", "-2h", "1.5d", "99999999999d", "7 d", "one"} {
		if a := new(Age); a.Set(in) == nil {
			t.Errorf("%q: got %v, want an error", in, a)
		}
	}
}
