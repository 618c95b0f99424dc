//go:build signetkill

package main

import (
	"os"
	"strconv"
)

// A build for tests alone: it ends as by kill -9 at the step whose number the environment gives.
func init() {
	at, err := strconv.Atoi(os.Getenv("SIGNET_KILL_AT"))
	if err != nil {
		return
	}
	n := 0
	step = func(name string) {
		if n++; n == at {
			os.Stderr.WriteString("killed at: " + name + "\n")
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				_ = self.Kill()
			}
			select {}
		}
	}
}
