//go:build !linux

package measure

import "syscall"

// macOS counts ru_maxrss in bytes (getrusage(2)).
func peakBytes(usage *syscall.Rusage) int64 { return usage.Maxrss }
