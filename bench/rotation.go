package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet"
)

var rotation = question{
	name:   "rotation",
	text:   "The ring is updated 100 times a second while 8 goroutines seal and open: the slowest 1 in 100",
	goal:   "p99 unmoved: ≤ 1.10 × that without",
	answer: answerRotation,
}

// answerRotation compares windows of time with and without updates, in turns.
func answerRotation(l *lab, t *table) {
	windows, length := 15, 120*time.Millisecond
	if l.short {
		windows, length = 9, 60*time.Millisecond
	}
	fresh := [...]signet.Key{signet.GenerateKey(time.Time{}), signet.GenerateKey(time.Now().Add(-time.Hour)), signet.GenerateKey(time.Now().Add(time.Hour))}
	ring := must(signet.NewKeyring(fresh[:2]...))
	next := [...]*signet.Keyring{must(signet.NewKeyring(fresh[:]...)), must(signet.NewKeyring(fresh[:2]...))}
	var with, without [2]series // p50, p99
	for range windows {
		for i, updates := range []bool{false, true} {
			p50, p99 := window(ring, next, length, updates)
			to := []*[2]series{&without, &with}[i]
			to[0], to[1] = append(to[0], p50), append(to[1], p99)
		}
	}
	t.head("", "p50, ns", "p99, ns")
	t.row("no updates", without[0].median(), without[1].median())
	t.row("100 updates a second", with[0].median(), with[1].median())
	t.row("ratio", with[0].over(without[0]), with[1].over(without[1]))
	t.check("p99 with updates over without", with[1].over(without[1]), "≤", 1.10, "×")
	t.note("Elapsed time of one seal and open of 256 B, 8 goroutines. Replace puts a ring with one key more, and the old one, in force by turns.")
}

func window(ring *signet.Keyring, next [2]*signet.Keyring, length time.Duration, updates bool) (p50, p99 float64) {
	var stop atomic.Bool
	var all sync.WaitGroup
	taken := make([][]float64, 8)
	p := payload(256)
	for i := range taken {
		taken[i] = make([]float64, 0, 1<<18)
		all.Go(func() {
			for !stop.Load() && len(taken[i]) < cap(taken[i]) {
				start := time.Now()
				must(ring.Open("bench", must(ring.Seal("bench", p, time.Hour))))
				taken[i] = append(taken[i], float64(time.Since(start)))
			}
		})
	}
	for n := range int(length / (10 * time.Millisecond)) {
		time.Sleep(10 * time.Millisecond)
		if updates {
			if err := ring.Replace(next[n%2]); err != nil {
				panic(err)
			}
		}
	}
	stop.Store(true)
	all.Wait()
	sorted := slices.Concat(taken...)
	slices.Sort(sorted)
	return sorted[len(sorted)/2], sorted[len(sorted)*99/100]
}
