package sim

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "the first world; 0 is a fresh one, which is printed")
	stepsFlag = flag.Int("steps", 0, "requests; 0 is 20,000, or a million with SIGNET_REQUIRE_ALL=1")
	forFlag   = flag.Duration("for", 0, "how long to run instead of -steps, for the nightly run")
)

// worldSize is how many requests one world gets before the next seed's turn.
const worldSize = 4000

func required() bool { return os.Getenv("SIGNET_REQUIRE_ALL") == "1" }

func firstSeed() uint64 {
	if *seedFlag != 0 {
		return *seedFlag
	}
	return uint64(time.Now().UnixNano()/1000) % 1_000_000_000
}

func steps() int {
	switch {
	case *stepsFlag != 0:
		return *stepsFlag
	case required():
		return 1_000_000
	}
	return 20_000
}

// TestSimulation runs worlds until enough requests were judged. On its first violation it
// prints the line that the table of mutants reads.
func TestSimulation(t *testing.T) {
	first, start := firstSeed(), time.Now()
	var sum Counts
	seed := first
	for ; *forFlag == 0 && sum.Requests < steps() || time.Since(start) < *forFlag; seed++ {
		size := worldSize
		if *forFlag == 0 {
			size = min(size, steps()-sum.Requests)
		}
		c, _, v := Run(seed, size)
		sum.Add(c)
		if v != nil {
			fmt.Printf("FELL %d %s\n", sum.Requests, v.Property)
			if os.Getenv("SIGNET_SIM_STORY") == "0" {
				t.Fatal(v)
			}
			t.Fatalf("%v\nagain: go test ./sim -run TestSimulation -seed %d -steps %d\n%s", v, seed, v.Request, Shrink(v))
		}
	}
	took := time.Since(start)
	report("simulation: seeds %d to %d, %d requests in %v (%d µs each)\n%s", first, seed-1, sum.Requests, took.Round(time.Second/10), int(took.Microseconds())/max(sum.Requests, 1), sum)
}

// report prints, and appends to the file that SIGNET_REPORT names: "go test" of several packages
// keeps the output of those that pass to itself.
func report(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Print(text)
	if name := os.Getenv("SIGNET_REPORT"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, _ = f.WriteString(text)
		_ = f.Close()
	}
}

// TestSeedDecides runs worlds twice: the same seed is the same world, whatever random bytes the
// library draws for ids and nonces.
func TestSeedDecides(t *testing.T) {
	first := firstSeed()
	for seed := first; seed < first+5; seed++ {
		c1, trace1, v1 := Run(seed, 2000)
		c2, trace2, v2 := Run(seed, 2000)
		c1.Allocs, c1.AllocBytes, c2.Allocs, c2.AllocBytes = 0, 0, 0, 0
		if trace1 != trace2 || c1 != c2 || (v1 == nil) != (v2 == nil) {
			t.Errorf("seed %d: traces %x and %x\n%v\n%v", seed, trace1, trace2, c1, c2)
		}
		if _, other, _ := Run(seed+1_000_000_000, 2000); other == trace1 {
			t.Errorf("seed %d: another seed has the same trace", seed)
		}
	}
}

// TestStory breaks a world on purpose, by a write that the model forgets, and reads what is told.
func TestStory(t *testing.T) {
	forget = func(t *write) bool { return t.session.number == 3 }
	defer func() { forget = nil }()
	var broken *Violation
	for seed := uint64(1); broken == nil && seed < 50; seed++ {
		_, _, broken = Run(seed, worldSize)
	}
	if broken == nil {
		t.Fatal("a forgotten session was never missed")
	}
	story := Shrink(broken)
	if !strings.Contains(story, "VIOLATION") || !strings.Contains(story, "instances") || strings.Count(story, "\n") > 60 {
		t.Errorf("the story is:\n%s", story)
	}
}
