// Two goroutines that yield to each other on one processor.
package main

import (
	"juggle/bench/measure"
	"runtime"
	"sync"
)

func ping(iterations int, done *sync.WaitGroup) {
	for i := 0; i < iterations; i++ {
		runtime.Gosched()
	}
	done.Done()
}

func pong(iterations int, done *sync.WaitGroup) {
	for left := iterations; left > 0; left-- {
		runtime.Gosched()
	}
	done.Done()
}

func main() {
	options := measure.Parse()
	runtime.GOMAXPROCS(1)
	for run := 0; run < options.Runs; run++ {
		measure.Each("go", 2*options.Iterations, func() {
			var done sync.WaitGroup
			done.Add(2)
			go ping(options.Iterations, &done)
			go pong(options.Iterations, &done)
			done.Wait()
		})
	}
}
