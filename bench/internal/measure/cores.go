package measure

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// OnAllCores works through the names on every core at a time and gives an error of
// one that failed. worker is called once a core and makes what does the work there,
// with the core's own buffers.
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
