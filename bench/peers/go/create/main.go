// Starts an empty goroutine and waits for it, by a channel and by a WaitGroup.
package main

import (
	"juggle/bench/measure"
	"runtime"
	"sync"
)

func main() {
	options := measure.Parse()
	runtime.GOMAXPROCS(1)
	for run := 0; run < options.Runs; run++ {
		measure.Each("go-channel", options.Iterations, func() {
			done := make(chan struct{})
			for i := 0; i < options.Iterations; i++ {
				go func() { done <- struct{}{} }()
				<-done
			}
		})
		measure.Each("go-waitgroup", options.Iterations, func() {
			var done sync.WaitGroup
			for i := 0; i < options.Iterations; i++ {
				done.Add(1)
				go func() { done.Done() }()
				done.Wait()
			}
		})
	}
}
