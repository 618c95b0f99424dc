package main

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/signet-go/signet"
)

// ringOf makes a ring of n keys, each sealing from an hour after the one before it. The last of
// them, the one that seals, began an hour ago.
func ringOf(n int) *signet.Keyring {
	first := time.Now().Add(-time.Duration(n) * time.Hour)
	keys := make([]signet.Key, n)
	for i := range keys {
		keys[i] = signet.GenerateKey(first.Add(time.Duration(i) * time.Hour))
	}
	return must(signet.NewKeyring(keys...))
}

func ringTrip(name, config string, ring *signet.Keyring) subject {
	p := payload(256)
	op := func() []byte { return must(ring.Open("bench", must(ring.Seal("bench", p, time.Hour)))) }
	if !bytes.Equal(op(), p) {
		panic(name + " does not return its payload")
	}
	return subject{name: name, config: config, op: func() { op() }}
}

// keptTrip is the same without garbage, whose collection is many times what a ring's size could cost.
func keptTrip(name, config string, ring *signet.Keyring) subject {
	c, p := appendCodec(signet.Compact, ring), payload(256)
	if !bytes.Equal(c.open(c.seal(p)), p) {
		panic(name + " does not return its payload")
	}
	return subject{name: name, config: config, op: func() { c.open(c.seal(p)) }}
}

var bigRing = question{
	name:   "ring",
	text:   "A ring of 1,000 keys against one key",
	goal:   "≤ 1.05 ×",
	groups: ringGroups,
	answer: func(l *lab, t *table) {
		t.head("", "", "ns", "× one key")
		e := l.effort
		e.rounds, e.slice, e.pinned = e.rounds*8, e.slice/4, true // a difference of five in a hundred needs many
		for i, g := range ringGroups(l) {
			took := interleave(e, g)
			one := took["one key"]
			for _, s := range g.subjects[i:] {
				t.row(s.name, s.config, took[s.name].median(), took[s.name].over(one))
			}
			if i == 0 {
				t.check("1,000 keys over one", took["1,000 keys"].over(one), "≤", 1.05, "×")
			}
		}
		t.note("The last row opens tokens of 1,000 different keys in turn, more than the 128 places of the cache: each pays for two HKDF-Expands and an AES key schedule.")
	},
}

func ringGroups(*lab) []group {
	return []group{{"256 B", []subject{
		keptTrip("one key", "seal and open 256 B, into kept buffers", ringOf(1)),
		keptTrip("64 keys", "the most that a key file holds", ringOf(64)),
		keptTrip("1,000 keys", "NewKeyring takes any number", ringOf(1000)),
	}}, {"misses", []subject{
		keptTrip("one key", "", ringOf(1)),
		acrossKeys(1000),
	}}}
}

// acrossKeys opens tokens of n keys in turn.
func acrossKeys(n int) subject {
	keys := make([]signet.Key, n)
	texts := make([]string, n)
	p := payload(256)
	for i := range keys {
		keys[i] = signet.GenerateKey(time.Time{})
		texts[i] = must(must(signet.NewKeyring(keys[i])).Seal("bench", p, time.Hour))
	}
	ring, next := must(signet.NewKeyring(keys...)), 0
	return subject{name: "1,000 keys in turn", config: "opens only", op: func() {
		must(ring.Open("bench", texts[next%n]))
		next++
	}}
}

var cores = question{
	name:   "cores",
	text:   "1, 2, 4 and 16 goroutines over one ring",
	goal:   "linear per core: processor time a round trip within 1.10 × of that of goroutines that share nothing",
	groups: coreGroups,
	answer: func(l *lab, t *table) {
		t.head("goroutines", "signet, ns of processor time", "× one", "sharing nothing, × one", "signet over sharing nothing")
		e := effort{rounds: l.rounds, slice: 4 * l.slice} // long against the start of goroutines
		for i, g := range coreGroups(l) {
			took := interleave(e, g)
			shared, alone := took["shared"].over(took["shared, one"]), took["own"].over(took["own, one"])
			t.row(goroutines[i], took["shared"].median(), shared, alone, shared/alone)
			t.check(fmt.Sprintf("%d goroutines, signet's growth over that of rings of their own", goroutines[i]), shared/alone, "≤", 1.10, "×")
		}
		t.note("This machine: GOMAXPROCS %d. What the second column grows by, goroutines that share nothing grow by as well (garbage collection, shared caches, the scheduler).", runtime.GOMAXPROCS(0))
	},
}

var goroutines = []int{2, 4, 16}

func coreGroups(*lab) []group {
	var groups []group
	for _, n := range goroutines {
		one := ringOf(3)
		rings := make([]*signet.Keyring, n)
		for i := range rings {
			rings[i] = ringOf(3)
		}
		groups = append(groups, group{fmt.Sprint(n), []subject{
			spread("shared, one", 1, func(int) *signet.Keyring { return one }),
			spread("shared", n, func(int) *signet.Keyring { return one }),
			spread("own, one", 1, func(i int) *signet.Keyring { return rings[i] }),
			spread("own", n, func(i int) *signet.Keyring { return rings[i] }),
		}})
	}
	return groups
}

// spread divides round trips among goroutines, each over the ring that it is given.
func spread(name string, n int, ring func(i int) *signet.Keyring) subject {
	p := payload(256)
	return subject{name: name, batch: func(count int) time.Duration {
		start := processorTime()
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				r := ring(i)
				for range count / n {
					must(r.Open("bench", must(r.Seal("bench", p, time.Hour))))
				}
			})
		}
		all.Wait()
		return time.Duration(float64(processorTime()-start) * float64(count) / float64(max(1, count/n*n)))
	}}
}

var memory = question{
	name: "memory",
	text: "Memory kept per ring of 64 keys with 3 purposes after 1 million opens",
	goal: "≤ 256 KiB",
	answer: func(l *lab, t *table) {
		opens := 1_000_000
		if l.short {
			opens = 50_000
		}
		t.head("", "KiB")
		before := heap()
		ring := must(ringOf(64).WithPolicy(signet.Policy{Life: 96 * time.Hour}))
		t.row("the ring", float64(heap()-before)/1024)
		openMany(ring, opens)
		kept := float64(heap()-before) / 1024
		t.row(fmt.Sprintf("after %d opens of 3 purposes", opens), kept)
		runtime.KeepAlive(ring)
		t.check("kept", kept, "≤", 256, "KiB")
	},
}

// openMany opens tokens of every key and purpose: 192 AEADs, more than the cache keeps.
func openMany(ring *signet.Keyring, opens int) {
	var texts []string
	purposes := []string{"session", "reset", "csrf"}
	for hour := range 64 { // each was the hour of another key
		ring.SetClock(func() time.Time { return time.Now().Add(-time.Duration(hour) * time.Hour) })
		for _, p := range purposes {
			texts = append(texts, must(ring.Seal(p, payload(64), 96*time.Hour)))
		}
	}
	ring.SetClock(nil)
	for i := range opens {
		must(ring.Open(purposes[i%3], texts[i%len(texts)]))
	}
}

// heap is what is in use after everything that nobody holds is gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
