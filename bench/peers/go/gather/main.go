// Waits for a thousand goroutines that each yield once.
package main

import (
	"juggle/bench/measure"
	"runtime"
	"sync"
)

const tasks = 1000

func main() {
	options := measure.Parse()
	runtime.GOMAXPROCS(1)
	for run := 0; run < options.Runs; run++ {
		measure.Each("go", options.Iterations*tasks, func() {
			for i := 0; i < options.Iterations; i++ {
				var done sync.WaitGroup
				done.Add(tasks)
				for task := 0; task < tasks; task++ {
					go func() {
						runtime.Gosched()
						done.Done()
					}()
				}
				done.Wait()
			}
		})
	}
}
