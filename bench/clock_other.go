//go:build !linux

package main

import "time"

const clockName = "elapsed time"

var started = time.Now()

// processorTime is elapsed time where the system does not tell the other one finely enough.
func processorTime() time.Duration { return time.Since(started) }
