package main

import (
	"cmp"
	"runtime"
	"slices"
	"testing"
	"time"
)

// subject is one way of doing a piece of work. All subjects of a group do the same.
type subject struct {
	name   string
	config string // which documented configuration, for the report
	op     func()
	// batch runs n operations elsewhere, in a process of another language, and says what one
	// took there. Nil is op.
	batch  func(n int) time.Duration
	slices int // how many slices it gets in a round, for one whose clock is coarse; 0 is one
}

// group is what is measured in turns. Its first subject is what the others are compared with.
type group struct {
	name     string
	subjects []subject
}

// effort is how long a measurement may take.
type effort struct {
	rounds int
	slice  time.Duration // of one subject in one round
	pinned bool          // all rounds on one thread, for figures that are the quickest round; see interleave
}

// series holds nanoseconds an operation, one value a round.
type series []float64

// interleave times the subjects of a group in turns, A B C A B C …: a noisy moment falls on all.
//
// Time is the processor time of the process, where the system tells it: what other processes do on
// the machine is not in it, and the garbage collector's work on another core is. The system is exact
// for the thread that asks and up to a tick of 4 ms late for others: a slice during which the goroutine changed
// threads may seem to have cost nothing, or twice. Medians bear that; the quickest round does not,
// and is taken on one thread, where allocation costs a tenth more, from all rounds.
func interleave(e effort, g group) map[string]series {
	if e.pinned {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	counts := make([]int, len(g.subjects))
	for i, s := range g.subjects {
		counts[i] = calibrate(e, s)
	}
	samples := make([]series, len(g.subjects))
	for range e.rounds {
		for i, s := range g.subjects {
			samples[i] = append(samples[i], s.time(counts[i]))
		}
	}
	quiet := quieter(samples)
	if e.pinned {
		quiet = all(e.rounds)
	}
	out := make(map[string]series, len(g.subjects))
	for i, s := range g.subjects {
		for _, round := range quiet {
			out[s.name] = append(out[s.name], samples[i][round])
		}
	}
	return out
}

// quieter picks the half of the rounds, but at least nine, in which the subjects were nearest to their
// own lower quartile: other programs take cache and memory away as well as time, and a slice far below is
// one whose time was charged to the next.
func quieter(samples []series) []int {
	rounds := all(len(samples[0]))
	disturbed := make([]float64, len(rounds))
	for _, s := range samples {
		quiet := slices.Sorted(slices.Values(s))[len(s)/4]
		for i := range rounds {
			disturbed[i] += max(s[i]/quiet, quiet/s[i])
		}
	}
	slices.SortFunc(rounds, func(a, b int) int { return cmp.Compare(disturbed[a], disturbed[b]) })
	return rounds[:min(len(rounds), max(9, len(rounds)/2))]
}

// all are the numbers of n rounds.
func all(n int) []int {
	rounds := make([]int, n)
	for i := range rounds {
		rounds[i] = i
	}
	return rounds
}

// calibrate finds how many operations fill a slice.
func calibrate(e effort, s subject) int {
	for n := 1; ; n *= 2 {
		slice := e.slice * time.Duration(max(s.slices, 1))
		if d := time.Duration(s.time(n) * float64(n)); d > slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(d)))
		}
	}
}

// time is what one of n operations took, in nanoseconds.
func (s subject) time(n int) float64 {
	if s.batch != nil {
		return float64(s.batch(n).Nanoseconds()) / float64(n)
	}
	start := processorTime()
	for range n {
		s.op()
	}
	return float64((processorTime() - start).Nanoseconds()) / float64(n)
}

func (s series) median() float64 { return median(s) }

// least is the quickest round: what is left when nothing disturbs. It is for goals in
// nanoseconds and for differences of a few in a hundred, where a disturbed round says nothing.
func (s series) least() float64 { return slices.Min(s) }

// over is how many times dearer s is than other: the median of the rounds' ratios, each
// taken within one round.
func (s series) over(other series) float64 {
	ratios := make([]float64, len(s))
	for i := range s {
		ratios[i] = s[i] / other[i]
	}
	return median(ratios)
}

// above is the cost beyond base, round by round; at least a nanosecond, so that it divides.
func (s series) above(base series) series {
	out := make(series, len(s))
	for i := range s {
		out[i] = max(s[i]-base[i], 1)
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// allocations counts those of one op, and their bytes.
func allocations(op func()) (count, size float64) {
	const n = 200
	op()
	count = testing.AllocsPerRun(n, op)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		op()
	}
	runtime.ReadMemStats(&after)
	return count, float64(after.TotalAlloc-before.TotalAlloc) / n
}
