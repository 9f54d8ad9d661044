package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	// sameSignal is how long a repeated signal counts as the one before: timeout(1)
	// sends it to the process and to its group.
	sameSignal = 50 * time.Millisecond

	// abortAfter is how long the program may take to end after the second interrupt.
	abortAfter = 500 * time.Millisecond
)

// interrupts ends a program when it is interrupted: by SIGINT, SIGTERM, SIGHUP or
// SIGQUIT, or because the reader of its output has closed the pipe.
//
// The first interrupt cancels the context of the command, which cleans up and
// returns. The second closes kill, and ends the program soon, even if it hangs, as
// in a write to a pipe that nobody reads.
//
// In both cases the program ends by the signal itself: only then does a shell end
// the loop that the program runs in. https://www.cons.org/cracauer/sigint.html
type interrupts struct {
	cancel  context.CancelFunc
	kill    chan struct{}
	cleanup func() // cleans up the terminal
	ignored bool   // SIGINT was, when the program started: by "same run all &" in a script

	mu     sync.Mutex
	signal syscall.Signal // the last one; 0 without any
	number int            // of interrupts
}

// catchInterrupts returns a context that the first interrupt cancels. It calls
// cleanup if the program does not end after the second.
func catchInterrupts(cleanup func()) (context.Context, *interrupts) {
	ctx, cancel := context.WithCancel(context.Background())
	in := &interrupts{cancel: cancel, kill: make(chan struct{}), cleanup: cleanup, ignored: signal.Ignored(syscall.SIGINT)}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) { // as under nohup
			signals = append(signals, s)
		}
	}
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, signals...)
	// Go ends a program that writes to a closed pipe. Caught, the signal is an
	// error of that write instead, and tasks are still started with its default.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go in.watch(caught)
	return ctx, in
}

func (in *interrupts) watch(caught <-chan os.Signal) {
	var last os.Signal
	var at time.Time
	for {
		s := <-caught
		if s == last && time.Since(at) < sameSignal {
			continue
		}
		last, at = s, time.Now()
		in.interrupt(s.(syscall.Signal))
	}
}

// interrupt ends the program because of s.
func (in *interrupts) interrupt(s syscall.Signal) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.number > 0 && s == syscall.SIGPIPE {
		return // the reader of the output was interrupted too
	}
	in.signal = s
	in.cancel()
	if in.number++; in.number == 2 {
		close(in.kill)
		time.AfterFunc(abortAfter, in.abort)
	}
}

// abort ends the program although its command has not returned.
func (in *interrupts) abort() {
	left := make(chan struct{})
	go func() { defer close(left); in.cleanup() }()
	select {
	case <-left:
	case <-time.After(abortAfter / 5): // the terminal is stopped, by ^S
	}
	in.end()
}

// last returns the last signal, or 0.
func (in *interrupts) last() syscall.Signal {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.signal
}

// end ends this process by the last signal, as if it had not been caught.
func (in *interrupts) end() {
	s := in.last()
	if s == syscall.SIGQUIT {
		os.Exit(128 + int(s)) // by default Go prints every goroutine and exits with 2
	}
	if os.Getpid() != 1 && !(s == syscall.SIGINT && in.ignored) { // process 1 of a container does not receive what it does not catch
		signal.Reset(s)
		if s == syscall.SIGPIPE {
			_, _ = os.Stdout.Write([]byte("\n")) // Go ignores that signal, but ends by it when a write to stdout fails
		}
		_ = syscall.Kill(os.Getpid(), s)
		time.Sleep(abortAfter)
	}
	os.Exit(128 + int(s))
}

// An output is stdout. It keeps the first error, since a program that has lost output
// has failed. When the reader closes the pipe (head -1), the program is interrupted.
type output struct {
	file   *os.File
	closed func() // called when the reader has closed the pipe

	mu  sync.Mutex
	err error
}

func (w *output) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		w.mu.Lock()
		first := w.err == nil
		if first {
			w.err = err
		}
		w.mu.Unlock()
		if first && errors.Is(err, syscall.EPIPE) {
			w.closed()
		}
	}
	return n, err
}

// Fd returns the file's descriptor, for Terminal.
func (w *output) Fd() uintptr { return w.file.Fd() }

// Err returns the first error of a write.
func (w *output) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
