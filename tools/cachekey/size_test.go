package main

import (
	"testing"

	"github.com/spf13/pflag"
)

var _ pflag.Value = new(byteSize)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]byteSize{
		"0": 0, "17": 17, "17B": 17, "500MB": 500_000_000, "500 MB": 500_000_000, "1kB": 1000, "1KB": 1000, "1KiB": 1024,
		"1.5GiB": 1610612736, "2TB": 2_000_000_000_000, "1TiB": 1099511627776, "3MiB": 3145728, "7GB": 7_000_000_000, "9223372036854775807": 9223372036854775807,
	} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "MB", "-1", "-1MB", "1e9", "inf", "NaN", "0x10", "1 M", "500mb", "1PB", "9223372036854775808", "9999999999TB", "1.2.3MB", "1_000"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("parseSize(%q) = %d", in, got)
		}
	}
}

func TestByteSizeString(t *testing.T) {
	for in, want := range map[byteSize]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1500: "1.5 kB", 999_400: "999 kB", 999_600: "1.0 MB", 500_000_000: "500 MB", 7_250_000_000: "7.2 GB",
	} {
		if got := in.String(); got != want {
			t.Errorf("%d: got %q, want %q", int64(in), got, want)
		}
	}
}
