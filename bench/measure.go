package main

import (
	"slices"
	"time"
)

// subject is one way of doing a piece of work. All subjects of a question do the same.
type subject struct {
	name   string
	config string // which documented configuration, for the report
	op     func()
}

// timing is what a subject took, in nanoseconds per operation.
type timing struct {
	Name   string
	Config string
	Median float64
	Min    float64
	// Ratios to the first subject, the reference, taken within each round, so that
	// a noisy moment slows both sides of it.
	Ratio float64
}

const slice = 8 * time.Millisecond // of one subject in one round

// interleave times the subjects in turn, A B C A B C …, for the given rounds.
func interleave(rounds int, subjects []subject) []timing {
	counts := make([]int, len(subjects))
	for i, s := range subjects {
		counts[i] = calibrate(s.op)
	}
	samples := make([][]float64, len(subjects))
	for range rounds {
		for i, s := range subjects {
			samples[i] = append(samples[i], run(s.op, counts[i]))
		}
	}
	out := make([]timing, len(subjects))
	for i, s := range subjects {
		ratios := make([]float64, rounds)
		for j := range rounds {
			ratios[j] = samples[i][j] / samples[0][j]
		}
		out[i] = timing{s.name, s.config, median(samples[i]), slices.Min(samples[i]), median(ratios)}
	}
	return out
}

// calibrate finds how many operations fill a slice.
func calibrate(op func()) int {
	n := 1
	for {
		start := time.Now()
		for range n {
			op()
		}
		if d := time.Since(start); d > slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(d)))
		}
		n *= 2
	}
}

func run(op func(), n int) float64 {
	start := time.Now()
	for range n {
		op()
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}
