package measure

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine describes the machine, without its name.
func Machine() string {
	parts := []string{fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
	for _, line := range lines("/proc/cpuinfo") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			parts = append(parts, strings.TrimSpace(value))
			break
		}
	}
	for _, line := range lines("/proc/meminfo") {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				parts = append(parts, fmt.Sprintf("%d GiB", (kib+1<<19)>>20))
			}
		}
	}
	if release := lines("/proc/sys/kernel/osrelease"); len(release) > 0 {
		version, _, _ := strings.Cut(release[0], "-")
		parts = append(parts, "Linux "+version)
	}
	return strings.Join(parts, ", ")
}

// A Load is the CPU time of the whole machine up to now. It is zero where the system
// does not report it.
type Load struct {
	at   time.Time
	busy time.Duration
}

// LoadNow reads the machine's load.
func LoadNow() Load {
	l := Load{at: time.Now()}
	stat := lines("/proc/stat")
	if len(stat) == 0 {
		return l
	}
	// cpu user nice system idle iowait irq softirq steal, in ticks of 10 ms (proc(5)).
	for i, field := range strings.Fields(stat[0]) {
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return l
		}
		l.busy += time.Duration(ticks) * 10 * time.Millisecond
	}
	return l
}

// Since returns the share of the machine's CPU time since l that other programs used.
// own is the CPU time of this benchmark.
func (l Load) Since(own time.Duration) float64 {
	now := LoadNow()
	all := now.at.Sub(l.at) * time.Duration(runtime.NumCPU())
	return max(0, float64(now.busy-l.busy-own)/float64(all))
}

// Elapsed returns the wall time since l, to the second.
func (l Load) Elapsed() time.Duration { return time.Since(l.at).Round(time.Second) }

// Idle watches the machine for a second, and returns the share of it that was busy.
func Idle() float64 {
	before := LoadNow()
	time.Sleep(time.Second)
	return before.Since(0)
}

func lines(name string) []string {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}
