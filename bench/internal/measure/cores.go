package measure

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// OnAllCores handles the names on all cores, and returns an error if one failed.
// worker is called once for each core; it returns the function that handles a name,
// which may have buffers of its own.
func OnAllCores(names []string, worker func() func(name string) error) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	failures := make(chan error, runtime.NumCPU())
	for range runtime.NumCPU() {
		workers.Go(func() {
			work := worker()
			for i := next.Add(1) - 1; i < int64(len(names)); i = next.Add(1) - 1 {
				if err := work(names[i]); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	workers.Wait()
	close(failures)
	return <-failures
}

// Bound runs the function that the first argument of this process names, with the
// arguments after it, and exits. It returns if no function has that name. So a
// benchmark can start itself to measure a bound in a process of its own.
func Bound(bounds map[string]func(args []string) error) {
	if len(os.Args) < 2 || bounds[os.Args[1]] == nil {
		return
	}
	if err := bounds[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
