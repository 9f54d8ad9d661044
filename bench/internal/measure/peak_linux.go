package measure

import "syscall"

// Linux counts ru_maxrss in KiB (getrusage(2)).
func peakBytes(usage *syscall.Rusage) int64 { return usage.Maxrss * 1024 }
