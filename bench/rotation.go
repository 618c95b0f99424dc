package main

import (
	"fmt"
	"slices"
	"strings"
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
	base, updates := fileOf(2), make([]*signet.Keyring, 0, int(length/updateEvery))
	for i := range cap(updates) {
		updates = append(updates, must(signet.ParseKeyring([]byte(base.text(3+i)))))
	}
	var with, without [2]series // p50, p99
	for range windows {
		ring := must(signet.ParseKeyring([]byte(base.text(2))))
		p50, p99 := window(ring, nil, length)
		without[0], without[1] = append(without[0], p50), append(without[1], p99)
		p50, p99 = window(ring, updates, length)
		with[0], with[1] = append(with[0], p50), append(with[1], p99)
	}
	t.head("", "p50, ns", "p99, ns")
	t.row("no updates", without[0].median(), without[1].median())
	t.row("100 updates a second", with[0].median(), with[1].median())
	t.row("ratio", with[0].over(without[0]), with[1].over(without[1]))
	t.check("p99 with updates over without", with[1].over(without[1]), "≤", 1.10, "×")
	t.note("Elapsed time of one seal and open of 256 B, 8 goroutines. Each Update publishes one key more.")
}

const updateEvery = 10 * time.Millisecond

// keyFile is a ring whose file grows by a key with every generation.
type keyFile struct{ keys []signet.Key }

func fileOf(n int) *keyFile {
	f := new(keyFile)
	for i := range 64 {
		from := time.Now().Add(time.Duration(i+1-n) * time.Hour) // the first n have begun
		f.keys = append(f.keys, signet.GenerateKey(from))
	}
	return f
}

// text is the file of the generation that has n keys.
func (f *keyFile) text(n int) string {
	jwks := string(must(must(signet.NewKeyring(f.keys[:n]...)).SecretJWKS()))
	return fmt.Sprintf(`{"generation": %d, %s`, n, strings.TrimPrefix(jwks, "{"))
}

// window seals and opens for a while, and puts the updates in force meanwhile, one by one.
func window(ring *signet.Keyring, updates []*signet.Keyring, length time.Duration) (p50, p99 float64) {
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
	for n := range int(length / updateEvery) {
		time.Sleep(updateEvery)
		if n < len(updates) {
			if err := ring.Update(updates[n]); err != nil {
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
