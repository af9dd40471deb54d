// A million goroutines that sleep: how long each takes to start, and what it keeps in memory.
package main

import (
	"bufio"
	"fmt"
	"juggle/bench/measure"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// Resident memory and page tables of this process, in KiB.
func memory() (sum float64) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var value float64
		if n, _ := fmt.Sscanf(lines.Text(), "VmRSS: %f", &value); n == 1 {
			sum += value
		}
		if n, _ := fmt.Sscanf(lines.Text(), "VmPTE: %f", &value); n == 1 {
			sum += value
		}
	}
	return sum
}

func main() {
	options := measure.Parse()
	runtime.GOMAXPROCS(1)
	before := memory()
	var started atomic.Int64
	measure.Each("create", options.Tasks, func() {
		for i := 0; i < options.Tasks; i++ {
			delay := time.Hour + time.Duration(i)*time.Millisecond
			go func() {
				started.Add(1)
				time.Sleep(delay)
			}()
		}
		for started.Load() < int64(options.Tasks) {
			runtime.Gosched()
		}
	})
	measure.Report("memory", "KiB", (memory()-before)/float64(options.Tasks))
}
