package signet_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet"
)

// The simulation of rotations. Time is in whole seconds. There is one true time; each
// machine's clock is ahead of it by something between 0 and S. A ring that was published
// at a true time is used by each instance from some moment within P of it, and an instance that restarts may
// go back to a ring that was superseded less than P ago. A case is one token: sealed by some
// instance and opened by some instance while its clock shows no more than the token's end and
// the leeway. It is lost if it does not open, or if its end was moved.
//
// What seals and opens are the functions of the library itself; see export_rotate_test.go.

// facts are the true bounds of a fleet, in seconds.
type facts struct{ period, p, s, l, e int64 }

func (f facts) policy() signet.Policy {
	sec := func(n int64) time.Duration { return time.Duration(n) * time.Second }
	return signet.Policy{Period: sec(f.period), Propagation: sec(f.p), Skew: sec(f.s), Life: sec(f.l), Leeway: sec(f.e)}
}

func (f facts) spread() int64 { return f.p + f.s }

// begin is the true time at which every history begins.
const begin = 1_000_000

// keyPool holds keys for histories to use in turn: to derive 2 million would be what takes the time.
var keyPool = sync.OnceValue(func() []signet.Key {
	pool := make([]signet.Key, 256)
	for i := range pool {
		pool[i] = signet.GenerateKey(time.Time{})
	}
	return pool
})

// world is one history of a key file and the draws that make it.
type world struct {
	facts
	rng  *rand.Rand
	pubs []publication
	now  int64 // true
	keys int   // used of the pool
	base int
}

type publication struct {
	at   int64 // true time
	ring *signet.Keyring
}

func newWorld(rng *rand.Rand, f facts) *world {
	w := &world{facts: f, rng: rng, now: begin, base: rng.IntN(len(keyPool()))}
	first := signet.Must(signet.NewKeyring(w.fresh()))
	w.pubs = []publication{{begin, signet.Must(signet.Edit(first, begin, func(e *signet.RingEdit) {
		e.Policy = f.policy()
		e.Keys[0].Issued = begin + w.upTo(f.s)
	}))}}
	return w
}

func (w *world) fresh() signet.Key {
	w.keys++
	return keyPool()[(w.base+w.keys)%len(keyPool())]
}

// upTo draws from 0 to n, each end a third of the time.
func (w *world) upTo(n int64) int64 {
	switch w.rng.IntN(3) {
	case 0:
		return 0
	case 1:
		return n
	}
	return w.rng.Int64N(n + 1)
}

func (w *world) ring() *signet.Keyring { return w.pubs[len(w.pubs)-1].ring }

func (w *world) publish(r *signet.Keyring) {
	if r != w.ring() {
		w.pubs = append(w.pubs, publication{w.now, r})
	}
}

// clockOfOperator is the clock of the machine that rotates, another one each time.
func (w *world) clockOfOperator() int64 { return w.now + w.upTo(w.s) }

// pass lets time go by until about where something happens.
func (w *world) pass() {
	steps := []int64{1, w.p, w.spread(), w.period, w.l, w.l + w.e, w.l + w.e + w.s, w.p - 1}
	step := steps[w.rng.IntN(len(steps))]
	if at := signet.Events(w.ring()); w.rng.IntN(2) == 0 {
		if ahead := at[w.rng.IntN(len(at))] - w.now; ahead > 0 {
			step = ahead
		}
	}
	w.now += max(1, step+w.rng.Int64N(5)-2)
}

// rotate is one run of the policy, now and then by somebody in a hurry.
func (w *world) rotate() {
	now := time.Unix(w.clockOfOperator(), 0)
	do := w.ring().Policy().Next
	if w.rng.IntN(4) == 0 {
		do = w.ring().Policy().Hasten
	}
	w.publish(signet.Must(do(w.ring(), w.fresh(), now)))
}

func (w *world) rotateOrRevoke() {
	if w.rng.IntN(3) > 0 {
		w.rotate()
		return
	}
	now, old := time.Unix(w.clockOfOperator(), 0), w.ring()
	infos := old.Keys()
	next := signet.Must(old.Policy().Revoke(old, w.fresh(), now, infos[w.rng.IntN(len(infos))].ID))
	if next.Policy().Check(old, next, now) == nil {
		w.publish(next)
	}
}

// fleet is the instances of one case, each with its clock and its delays.
type fleet struct {
	w     *world
	ahead []int64   // of the true time, each clock
	from  [][]int64 // when each instance first uses each publication
	back  []restart
}

// restart says that from from to to the instance uses the cached publication pub.
type restart struct {
	pub      int
	from, to int64
}

func newFleet(w *world) *fleet {
	n := 1 + w.rng.IntN(50)
	if w.rng.IntN(2) == 0 {
		n = 1 + w.rng.IntN(3)
	}
	f := &fleet{w: w, ahead: make([]int64, n), from: make([][]int64, n), back: make([]restart, n)}
	all := make([]int64, n*len(w.pubs))
	for i := range n {
		f.ahead[i] = w.upTo(w.s)
		f.from[i] = all[i*len(w.pubs) : (i+1)*len(w.pubs)]
		for m, pub := range w.pubs {
			f.from[i][m] = pub.at + w.upTo(w.p)
		}
		f.back[i] = w.restart()
	}
	return f
}

func (w *world) restart() restart {
	if len(w.pubs) < 2 || w.rng.IntN(2) == 0 {
		return restart{}
	}
	m := w.rng.IntN(len(w.pubs) - 1)
	end := w.pubs[m+1].at + w.p
	at := end - 1 - w.rng.Int64N(min(w.p, end-w.pubs[m].at))
	return restart{m, at, at + 1 + w.rng.Int64N(end-at)}
}

// uses is the publication that instance i uses at a true time.
func (f *fleet) uses(i int, t int64) *signet.Keyring {
	if b := f.back[i]; b.from <= t && t < b.to {
		return f.w.pubs[b.pub].ring
	}
	for m := len(f.w.pubs) - 1; m > 0; m-- {
		if f.from[i][m] <= t {
			return f.w.pubs[m].ring
		}
	}
	return f.w.pubs[0].ring
}

// edge draws a true time near which something changes for instance i.
func (f *fleet) edge(i int) int64 {
	w := f.w
	m := w.rng.IntN(len(w.pubs))
	switch w.rng.IntN(5) {
	case 0:
		return f.from[i][m] + w.rng.Int64N(3) - 1
	case 1:
		return f.back[i].to + w.rng.Int64N(3) - 2
	case 2:
		return w.pubs[m].at + w.p + w.rng.Int64N(3) - 1
	}
	at := signet.Events(w.pubs[m].ring)
	return at[w.rng.IntN(len(at))] - f.ahead[i] + w.rng.Int64N(3) - 1
}

var errEndMoved = errors.New("the token's end was moved to that of its key")

// token is one case: nil, or why the token was lost.
func (f *fleet) token() error {
	w := f.w
	i, j := w.rng.IntN(len(f.ahead)), w.rng.IntN(len(f.ahead))
	sealed := max(f.edge(i), begin)
	with, issued := f.uses(i, sealed), sealed+f.ahead[i]
	life := int64(with.Policy().Life / time.Second)
	if w.rng.IntN(8) == 0 {
		life = 1 + w.rng.Int64N(life)
	}
	id, expires, clamped, ok := signet.SealAt(with, issued, life)
	if !ok {
		return errors.New("no key seals")
	}
	dead := issued + life + w.e
	if dead < sealed+f.ahead[j] {
		j = i // a life below the skew is over at once by j's clock, whatever the keys
	}
	last := dead - f.ahead[j]
	opened := last
	if w.rng.IntN(2) == 0 {
		opened = f.edge(j)
	}
	opened = max(sealed, min(opened, last))
	at := f.uses(j, opened)
	err := signet.OpenAt(at, id, issued, expires, opened+f.ahead[j])
	switch {
	case errors.Is(err, signet.ErrRevoked):
		return nil // on purpose
	case err != nil:
		return err
	case clamped:
		return errEndMoved
	case !signet.SameAlgorithm(with, at, id):
		return signet.ErrInvalid
	}
	return nil
}

// draw makes the bounds of a fleet: small numbers, so that every edge meets every other.
func draw(rng *rand.Rand) facts {
	small := func(n int64) int64 { return 1 + rng.Int64N(n) }
	f := facts{p: small(20), s: 1 + small(9), l: small(60), e: small(4)}
	f.period = f.spread() + rng.Int64N(3)*small(80)
	if rng.IntN(4) == 0 { // the defaults
		f = facts{period: 720 * 3600, p: 3600, s: 300, l: 24 * 3600, e: 60}
	}
	return f
}

// habit is a way to rotate: it makes a history of some publications.
type habit struct {
	name  string
	make  func(*world)
	loses bool
}

// rounds lets something be done some times, with time between.
func rounds(n int, do func(*world)) func(*world) {
	return func(w *world) {
		for range n {
			w.pass()
			do(w)
		}
	}
}

// loosened is the policy at its bounds, off by some seconds: the next key is published when
// the last one began to seal and seals at once when it may, and the one before goes as soon as it may.
type loosened struct{ activation, clockDrop, configDrop, skew int64 }

func (o loosened) history(byClock bool) func(*world) {
	return func(w *world) {
		for range 3 {
			w.pass()
			at := w.clockOfOperator()
			follows := at + w.spread() + o.activation
			gone := follows + w.l + w.e
			w.publish(w.edit(at, func(e *signet.RingEdit) {
				e.Policy.Skew = time.Duration(w.s+o.skew) * time.Second
				if byClock {
					e.Keys[len(e.Keys)-1].NotAfter = gone + o.clockDrop
				}
				e.Keys = append(e.Keys, signet.KeyTimes{Key: w.fresh(), Issued: at, NotBefore: follows})
			}))
			// By the slowest machine that might rotate, so that nothing else is slack.
			w.now = gone + w.s + o.configDrop
			if byClock {
				w.now += w.s
			}
			if !byClock && w.rng.IntN(2) == 0 {
				w.now -= w.s
				w.drop(w.now + w.s)
				continue
			}
			w.drop(w.now)
		}
	}
}

// drop publishes a ring of the newest key alone.
func (w *world) drop(at int64) {
	w.publish(w.edit(at, func(e *signet.RingEdit) { e.Keys = e.Keys[len(e.Keys)-1:] }))
}

func (w *world) edit(at int64, edit func(*signet.RingEdit)) *signet.Keyring {
	return signet.Must(signet.Edit(w.ring(), at, func(e *signet.RingEdit) { e.Generation++; edit(e) }))
}

// swap replaces the secret, which is what one does who has but one.
func swap(w *world) {
	at := w.clockOfOperator()
	w.publish(w.edit(at, func(e *signet.RingEdit) { e.Keys = []signet.KeyTimes{{Key: w.fresh(), Issued: at}} }))
}

// fallback puts the new secret first and the old one second, in one deploy, and drops the one before it.
func fallback(w *world) {
	at := w.clockOfOperator()
	w.publish(w.edit(at, func(e *signet.RingEdit) {
		old := e.Keys[len(e.Keys)-1]
		e.Keys = []signet.KeyTimes{old, {Key: w.fresh(), Issued: at, NotBefore: old.NotBefore + 1}}
	}))
}

// twoDeploys adds the new secret behind the old one and, after a wait, puts it first.
func twoDeploys(wait func(*world) int64) func(*world) {
	return func(w *world) {
		at := w.clockOfOperator()
		key := w.fresh()
		w.publish(w.edit(at, func(e *signet.RingEdit) {
			e.Keys = append(e.Keys[len(e.Keys)-1:], signet.KeyTimes{Key: key, Issued: at, NotBefore: 1 << 31})
		}))
		w.now += wait(w)
		w.publish(w.edit(at, func(e *signet.RingEdit) { e.Keys[1].NotBefore = e.Keys[0].NotBefore + 1 }))
		w.now += w.l + w.e + w.p + w.s // the old one stays for as long as it takes
	}
}

// activateAfter gives the new key a time to seal from and keeps every key, as ASP.NET Core does with two days.
func activateAfter(wait int64) func(*world) {
	return func(w *world) {
		at := w.clockOfOperator()
		w.publish(w.edit(at, func(e *signet.RingEdit) {
			e.Keys = append(e.Keys, signet.KeyTimes{Key: w.fresh(), Issued: at, NotBefore: at + wait})
		}))
		w.now += wait
	}
}

func habits() []habit {
	return []habit{
		{"signet: Policy.Next, as it is", rounds(10, (*world).rotate), false},
		{"signet: and Policy.Revoke, where Policy.Check is silent", rounds(10, (*world).rotateOrRevoke), false},
		{"the bounds, at their edge, dropped by the clock", loosened{}.history(true), false},
		{"the bounds, at their edge, dropped by a new config", loosened{}.history(false), false},
		{"activated one second early", loosened{activation: -1}.history(false), true},
		{"dropped by the clock one second early", loosened{clockDrop: -1}.history(true), true},
		{"dropped by a new config one second early", loosened{configDrop: -1}.history(false), true},
		{"skew allowance one second short", loosened{skew: -1}.history(false), true},
		{"others: swap the secret", rounds(4, swap), true},
		{"others: new secret first, old one as fallback, one deploy", rounds(4, fallback), true},
		{"others: two deploys, the second at once", rounds(4, twoDeploys(func(*world) int64 { return 1 })), true},
		{"others: two deploys, the second when all have the first", rounds(4, twoDeploys(func(w *world) int64 { return w.p })), false},
		{"others: activate after two days, keep all keys", rounds(4, activateAfter(2*24*3600)), false},
	}
}

// simulate runs a habit until there were n cases, on all cores.
func simulate(h habit, seed uint64, n int64) (cases, lost int64, example string) {
	const perFleet, fleets = 16, 4
	var done, gone atomic.Int64
	var first sync.Once
	var wg sync.WaitGroup
	for worker := range uint64(runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, worker))
			for done.Load() < n {
				w := newWorld(rng, draw(rng))
				h.make(w)
				for range fleets {
					f := newFleet(w)
					for range perFleet {
						if err := f.token(); err != nil {
							gone.Add(1)
							first.Do(func() { example = fmt.Sprintf("%v, under %+v", err, w.facts) })
						}
					}
				}
				done.Add(fleets * perFleet)
			}
		})
	}
	wg.Wait()
	return done.Load(), gone.Load(), example
}

// inFull is for CI, and there for one of the runs of these tests: neither the race detector nor
// FIPS mode nor WebAssembly has more to find here.
func inFull() bool {
	return os.Getenv("SIGNET_REQUIRE_ALL") == "1" && !raceDetector && os.Getenv("GODEBUG") == "" && runtime.GOARCH != "wasm"
}

func TestSimulatedRotationsLoseNoSession(t *testing.T) {
	own, others := int64(200_000), int64(20_000)
	if inFull() {
		own, others = 2_000_000, 500_000
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-58s %10s %10s\n", "policy", "cases", "lost")
	for i, h := range habits() {
		n := others
		if !h.loses && i < 4 {
			n = own
		}
		cases, lost, example := simulate(h, uint64(i+1), n)
		fmt.Fprintf(&table, "%-58s %10d %10d\n", h.name, cases, lost)
		if h.loses {
			require.Positive(t, lost, "%s: the simulation cannot fail", h.name)
			continue
		}
		require.Zero(t, lost, "%s: %s", h.name, example)
	}
	report(t, "%s", &table)
}

// Small worlds, and in them everything that can happen: each clock of operator, sealer and opener, each phase of cron, each second
// of sealing and of opening, and at each every ring that an instance may use.
func TestEveryRotationOfSmallWorldsLosesNoSession(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) // for keys alone
	cases := 0
	for _, f := range smallWorlds() {
		for every := int64(1); every <= 4; every++ {
			for operator := range f.s + 1 {
				w := newWorld(rng, f)
				w.cron(every, operator, begin+3*f.period+f.l+f.spread())
				cases += w.everyToken(t)
			}
		}
	}
	report(t, "%d cases, 0 lost", cases)
	require.Greater(t, cases, 1_000_000)
}

func smallWorlds() (all []facts) {
	for p := int64(1); p <= 3; p++ {
		for s := int64(1); s <= 2; s++ {
			for l := int64(1); l <= 4; l++ {
				for _, slack := range []int64{0, 1, 3} {
					all = append(all, facts{period: p + s + slack, p: p, s: s, l: l, e: 1})
				}
			}
		}
	}
	return all
}

func (w *world) cron(every, ahead, until int64) {
	for w.now = begin + every; w.now < until; w.now += every {
		w.publish(signet.Must(w.ring().Policy().Next(w.ring(), w.fresh(), time.Unix(w.now+ahead, 0))))
	}
}

// allowed are the rings that some instance may use at a true time.
func (w *world) allowed(at int64) (rings []*signet.Keyring) {
	for m, pub := range w.pubs {
		if pub.at <= at && (m+1 == len(w.pubs) || at < w.pubs[m+1].at+w.p) {
			rings = append(rings, pub.ring)
		}
	}
	return rings
}

func (w *world) everyToken(t *testing.T) (cases int) {
	for sealed := int64(begin); sealed < w.now; sealed++ {
		for _, with := range w.allowed(sealed) {
			for i := range w.s + 1 {
				for j := range w.s + 1 {
					cases += w.everyOpening(t, with, sealed, i, j)
				}
			}
		}
	}
	return cases
}

func (w *world) everyOpening(t *testing.T, with *signet.Keyring, sealed, sealer, opener int64) (cases int) {
	issued := sealed + sealer
	id, expires, clamped, ok := signet.SealAt(with, issued, w.l)
	require.True(t, ok && !clamped, "%+v: sealed at %d", w.facts, sealed-begin)
	for opened := sealed; opened+opener <= issued+w.l+w.e; opened++ {
		for _, at := range w.allowed(opened) {
			cases++
			if err := signet.OpenAt(at, id, issued, expires, opened+opener); err != nil {
				t.Fatalf("%+v: sealed at %d by a clock %d ahead, opened at %d by a clock %d ahead: %v",
					w.facts, sealed-begin, sealer, opened-begin, opener, err)
			}
		}
	}
	return cases
}

func TestCheckIsSilentAboutEveryHistoryOfNext(t *testing.T) {
	n := 2_000
	if inFull() {
		n = 40_000
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range n {
		w := newWorld(rng, draw(rng))
		for range 8 {
			w.pass()
			now := time.Unix(w.clockOfOperator(), 0)
			do, hasty := w.ring().Policy().Next, rng.IntN(4) == 0
			if hasty {
				do = w.ring().Policy().Hasten
			}
			old, next := w.ring(), signet.Must(do(w.ring(), w.fresh(), now))
			if again := signet.Must(do(next, w.fresh(), now)); !hasty {
				require.Same(t, next, again, "run again, it changes nothing")
			}
			require.NoError(t, next.Policy().Check(old, next, now), "%+v", w.facts)
			require.NoError(t, next.Policy().Check(next, next, now), "%+v", w.facts)
			w.publish(next)
		}
	}
}

// edits are what a hand does to a key file.
var edits = []struct {
	name string
	do   func(*world, *signet.RingEdit, *signet.KeyTimes)
}{
	{"nbf moved", func(w *world, _ *signet.RingEdit, k *signet.KeyTimes) { k.NotBefore += w.some() }},
	{"nbf set to about now", func(w *world, _ *signet.RingEdit, k *signet.KeyTimes) { k.NotBefore = w.now + w.upTo(w.spread()) }},
	{"nbf taken away", func(_ *world, _ *signet.RingEdit, k *signet.KeyTimes) { k.NotBefore = 0 }},
	{"exp moved", func(w *world, _ *signet.RingEdit, k *signet.KeyTimes) {
		if k.NotAfter != 0 {
			k.NotAfter += w.some()
		}
	}},
	{"exp set to about now", func(w *world, _ *signet.RingEdit, k *signet.KeyTimes) { k.NotAfter = w.now + w.upTo(2*w.spread()) }},
	{"exp taken away", func(_ *world, _ *signet.RingEdit, k *signet.KeyTimes) { k.NotAfter = 0 }},
	{"iat moved", func(w *world, _ *signet.RingEdit, k *signet.KeyTimes) { k.Issued += w.some() }},
	{"alg changed", func(_ *world, _ *signet.RingEdit, k *signet.KeyTimes) { k.ChaCha = !k.ChaCha }},
	{"key removed", func(_ *world, e *signet.RingEdit, k *signet.KeyTimes) { k.Key = signet.Key{} }},
	{"key replaced", func(w *world, _ *signet.RingEdit, k *signet.KeyTimes) { k.Key = w.fresh() }},
	{"key added", func(w *world, e *signet.RingEdit, _ *signet.KeyTimes) {
		e.Keys = append(e.Keys, signet.KeyTimes{Key: w.fresh(), Issued: w.now, NotBefore: w.now + w.some()})
	}},
	{"key revoked", func(_ *world, e *signet.RingEdit, k *signet.KeyTimes) { e.Revoked = append(e.Revoked, k.Key.ID()) }},
	{"life changed", func(w *world, e *signet.RingEdit, _ *signet.KeyTimes) { w.change(&e.Policy.Life) }},
	{"skew changed", func(w *world, e *signet.RingEdit, _ *signet.KeyTimes) { w.change(&e.Policy.Skew) }},
	{"leeway changed", func(w *world, e *signet.RingEdit, _ *signet.KeyTimes) { w.change(&e.Policy.Leeway) }},
	{"propagation changed", func(w *world, e *signet.RingEdit, _ *signet.KeyTimes) { w.change(&e.Policy.Propagation) }},
	{"period changed", func(w *world, e *signet.RingEdit, _ *signet.KeyTimes) { w.change(&e.Policy.Period) }},
}

// some is a step of either sign, often of one second or of just a bound.
func (w *world) some() int64 {
	steps := []int64{1, 2, w.s, w.p, w.spread(), w.l, w.l + w.e, w.period, 3 * w.period}
	n := steps[w.rng.IntN(len(steps))]
	if w.rng.IntN(2) == 0 {
		return -n
	}
	return n
}

func (w *world) change(d *time.Duration) {
	*d = max(time.Second, *d+time.Duration(w.some())*time.Second)
}

// Whatever one edit makes the fleet lose, Check names beforehand.
func TestCheckSpeaksOfEveryEditThatLosesASession(t *testing.T) {
	n := 8_000
	if inFull() {
		n = 200_000
	}
	type tally struct{ made, spoken, lost int }
	counts := make([]tally, len(edits))
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range n {
		edit, count := edits[i%len(edits)], &counts[i%len(edits)]
		w := newWorld(rng, draw(rng))
		rounds(rng.IntN(7), (*world).rotate)(w)
		w.pass()
		now := w.clockOfOperator()
		edited, err := signet.Edit(w.ring(), now, func(e *signet.RingEdit) {
			e.Generation++
			k := rng.IntN(len(e.Keys))
			edit.do(w, e, &e.Keys[k])
			if e.Keys[k].Key.ID() == "" {
				e.Keys = append(e.Keys[:k], e.Keys[k+1:]...)
			}
		})
		if err != nil {
			continue // not even a key file
		}
		count.made++
		old := w.ring()
		warning := edited.Policy().Check(old, edited, time.Unix(now, 0))
		w.publish(edited)
		var lost error
		for range 6 {
			for f, tokens := newFleet(w), 0; tokens < 24 && lost == nil; tokens++ {
				lost = f.token()
			}
		}
		if warning != nil {
			count.spoken++
		}
		if lost != nil {
			count.lost++
			require.Error(t, warning, "%s, and lost: %v\n%+v, now %d, operator %d\nold: %s\nnew: %s", edit.name, lost, w.facts, w.now-begin, now-begin, times(old), times(edited))
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-24s %8s %8s %8s\n", "edit by hand", "made", "refused", "lost")
	for i, e := range edits {
		fmt.Fprintf(&table, "%-24s %8d %8d %8d\n", e.name, counts[i].made, counts[i].spoken, counts[i].lost)
	}
	report(t, "%s", &table)
}

// times shows a ring relative to the begin of its history.
func times(r *signet.Keyring) string {
	var b strings.Builder
	rel := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return fmt.Sprint(t.Unix() - begin)
	}
	for _, k := range r.Keys() {
		fmt.Fprintf(&b, "%s iat %s nbf %s exp %s %v; ", k.ID, rel(k.Issued), rel(k.NotBefore), rel(k.Expires), k.Revoked)
	}
	return b.String() + fmt.Sprintf("%+v", r.Policy())
}
