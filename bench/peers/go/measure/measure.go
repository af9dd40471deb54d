// Package measure is what the Go programs share: options, and one line of output for each reading.
package measure

import (
	"flag"
	"fmt"
	"time"
)

// Options are those of all programs.
type Options struct {
	Runs, Iterations, Tasks int
}

// Parse reads the command line.
func Parse() Options {
	var options Options
	flag.IntVar(&options.Runs, "runs", 9, "how many readings to take")
	flag.IntVar(&options.Iterations, "iterations", 100000, "how many operations are one reading")
	flag.IntVar(&options.Tasks, "tasks", 1000000, "how many goroutines to start")
	flag.Parse()
	return options
}

// Report prints a reading.
func Report(metric, unit string, value float64) {
	fmt.Printf("%s %s %.4f\n", metric, unit, value)
}

// Each runs work and reports its time for each of so many operations, in nanoseconds.
func Each(metric string, operations int, work func()) {
	start := time.Now()
	work()
	Report(metric, "ns", float64(time.Since(start).Nanoseconds())/float64(operations))
}
