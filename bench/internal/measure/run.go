// Package measure runs commands in interleaved rounds, and measures wall time, CPU time
// and peak memory of each.
package measure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A Command is what to run. Nothing of the caller's environment reaches it.
type Command struct {
	Args []string
	Dir  string
	Env  []string
}

// A Sample is what one run of a command took.
type Sample struct {
	Wall time.Duration
	CPU  time.Duration // user and system, of all processes that it waited for
	Peak int64         // bytes resident, of the largest process
	Out  []byte        `json:"-"` // what it printed on stdout
}

// LaunchArg as first argument makes a benchmark's own binary a launcher: see Launched.
const LaunchArg = "launch-and-measure"

// Launched measures the command in os.Args and exits, if this process was started as a
// launcher. A process inherits the peak memory of its parent, so the command must be
// started by a fresh process instead of the benchmark, which may have grown.
func Launched() {
	if len(os.Args) < 3 || os.Args[1] != LaunchArg {
		return
	}
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	sample := Sample{
		Wall: wall,
		CPU:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		Peak: peakBytes(usage),
	}
	if err := json.NewEncoder(os.NewFile(3, "sample")).Encode(sample); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Run runs c once and measures it.
func Run(c Command) (Sample, error) {
	self, err := os.Executable()
	if err != nil {
		return Sample{}, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return Sample{}, err
	}
	defer read.Close()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(self, append([]string{LaunchArg}, c.Args...)...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.ExtraFiles = []*os.File{write}
	err = cmd.Run()
	write.Close()
	if err != nil {
		return Sample{}, fmt.Errorf("%q: %w\n%s%s", c.Args, err, tail(stdout.Bytes()), tail(stderr.Bytes()))
	}
	report, err := io.ReadAll(read)
	if err != nil {
		return Sample{}, err
	}
	var sample Sample
	if err := json.Unmarshal(report, &sample); err != nil {
		return Sample{}, fmt.Errorf("%q: reading what the launcher measured: %w", c.Args, err)
	}
	sample.Out = stdout.Bytes()
	return sample, nil
}

func tail(b []byte) []byte {
	const most = 2000
	return b[max(0, len(b)-most):]
}
