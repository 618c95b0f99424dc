package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// masterKey is a key as the operator has it in the file.
type masterKey struct {
	number             int // in the order of creation
	id, secret         string
	issued, nbf, until int64 // until 0 is without end
	kept               bool  // a later file lacks it; it opens on, but seals no more
}

// keyFile is one state of the operator's file. Instances use some earlier or later one.
type keyFile struct {
	keys       []masterKey
	revoked    []string
	generation int
	text       []byte
}

func (f *keyFile) find(id string) *masterKey {
	for i := range f.keys {
		if f.keys[i].id == id {
			return &f.keys[i]
		}
	}
	return nil
}

// sealer is the rule of the key file: the latest nbf that has passed, the larger id at a tie,
// the earliest if none has passed.
func (f *keyFile) sealer(now int64) *masterKey {
	var passed, ahead *masterKey
	for i := range f.keys {
		k := &f.keys[i]
		if k.kept || k.until != 0 && now >= k.until || slices.Contains(f.revoked, k.id) {
			continue
		}
		if k.nbf <= now {
			if passed == nil || k.nbf > passed.nbf || k.nbf == passed.nbf && k.id > passed.id {
				passed = k
			}
		} else if ahead == nil || k.nbf < ahead.nbf || k.nbf == ahead.nbf && k.id < ahead.id {
			ahead = k
		}
	}
	if passed != nil {
		return passed
	}
	return ahead
}

// write makes the file's text.
func (f *keyFile) write(p signet.Policy) {
	var keys []string
	for _, k := range f.keys {
		end := ""
		if k.until != 0 {
			end = fmt.Sprintf(`,"exp":%d`, k.until)
		}
		keys = append(keys, fmt.Sprintf(`{"kty":"oct","k":"%s","alg":"signet-v1","iat":%d,"nbf":%d%s}`, k.secret, k.issued, k.nbf, end))
	}
	revoked, _ := json.Marshal(append([]string{}, f.revoked...))
	f.text = fmt.Appendf(nil, `{"keys":[%s],"revoked":%s,"generation":%d,"policy":{"period":"%v","propagation":"%v","skew":"%v","life":"%v","leeway":"%v"}}`,
		strings.Join(keys, ","), revoked, f.generation, p.Period, p.Propagation, p.Skew, p.Life, p.Leeway)
}

// operator keeps the key file.
type operator struct {
	w       *World
	random  *rand.Rand // for secrets alone
	files   []*keyFile // all that were ever published
	made    int
	secrets []string
}

func newOperator(w *World) *operator {
	o := &operator{w: w, random: rand.New(rand.NewPCG(w.plan.seed, 0x6b657973))}
	o.publish(&keyFile{keys: []masterKey{o.newKey(0)}, generation: 1})
	return o
}

func (o *operator) newKey(nbf int64) masterKey {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(o.random.Uint32())
	}
	o.made++
	k := masterKey{number: o.made, secret: base64.RawURLEncoding.EncodeToString(secret), issued: o.w.now, nbf: nbf}
	o.secrets = append(o.secrets, k.secret)
	one := keyFile{keys: []masterKey{k}}
	one.write(o.w.plan.policy)
	k.id = signet.Must(signet.ParseKeyring(one.text)).Keys()[0].ID
	return k
}

func (o *operator) current() *keyFile { return o.files[len(o.files)-1] }

func (o *operator) publish(f *keyFile) {
	f.write(o.w.plan.policy)
	o.files = append(o.files, f)
}

func secs(d time.Duration) int64 { return int64(d / time.Second) }

// next is a copy of the current file with the next generation, without keys that ended long ago.
func (o *operator) next() *keyFile {
	last := o.current()
	f := &keyFile{revoked: slices.Clone(last.revoked), generation: last.generation + 1}
	p := o.w.plan.policy
	for _, k := range last.keys {
		if k.until == 0 || o.w.now < k.until+secs(p.Propagation)+secs(p.Skew) {
			f.keys = append(f.keys, k)
		}
	}
	return f
}

// rotate publishes the next key: in half of the worlds as Policy.Next or Hasten says, in the others by
// hand after the rule of the design. Policy.Check has nothing against either.
func (o *operator) rotate(n uint32) (bool, *Violation) {
	last, f := o.current(), (*keyFile)(nil)
	if o.w.plan.byPolicy {
		f = o.byPolicy(n)
	} else {
		f = o.byHand()
	}
	if f == nil || len(f.keys) > 16 {
		return false, nil
	}
	if err := o.check(last, f); err != nil && o.w.plan.orderly {
		return false, o.w.violation(nil, "a rotation by the rule is safe", "%v", err)
	}
	o.publish(f)
	o.spread()
	return true, nil
}

// check is what Policy.Check says of a change.
func (o *operator) check(last, next *keyFile) error {
	p := o.w.plan.policy
	next.write(p)
	return p.Check(signet.Must(signet.ParseKeyring(last.text)), signet.Must(signet.ParseKeyring(next.text)), time.Unix(o.w.now, 0))
}

// byHand keeps the rule of the design: a key seals when everybody knows it, and the one before it opens
// for as long as anything that it sealed lives.
func (o *operator) byHand() *keyFile {
	p := o.w.plan.policy
	newest := o.current().keys[len(o.current().keys)-1]
	if o.w.now < newest.nbf || o.w.now < newest.issued+secs(p.Propagation) {
		return nil // the one before is not in use yet
	}
	f := o.next()
	k := o.newKey(o.w.now + secs(p.Propagation) + secs(p.Skew))
	if last := &f.keys[len(f.keys)-1]; last.until == 0 {
		last.until = k.nbf + secs(p.Life) + secs(p.Leeway) + secs(p.Skew)
	}
	f.keys = append(f.keys, k)
	return f
}

// byPolicy asks the library for the next ring, and gives the key in it a secret of this world's own.
func (o *operator) byPolicy(n uint32) *keyFile {
	p, now := o.w.plan.policy, time.Unix(o.w.now, 0)
	ring := signet.Must(signet.ParseKeyring(o.current().text))
	fresh := signet.GenerateKey(time.Time{})
	step := p.Next
	if n%4 == 0 {
		step = p.Hasten
	}
	next := signet.Must(step(ring, fresh, now))
	if next == ring {
		return nil
	}
	return o.read(next, fresh.ID())
}

// read takes a ring of the library into a file of this world.
func (o *operator) read(ring *signet.Keyring, fresh string) *keyFile {
	var set struct {
		Keys []struct {
			K, Kid        string
			Iat, Nbf, Exp int64
		}
		Revoked    []string
		Generation int
	}
	if err := json.Unmarshal(signet.Must(ring.SecretJWKS()), &set); err != nil {
		panic(err) // of our own making
	}
	f := &keyFile{revoked: set.Revoked, generation: set.Generation}
	for _, k := range set.Keys {
		one := masterKey{id: k.Kid, secret: k.K, issued: k.Iat}
		if k.Kid == fresh {
			one = o.newKey(k.Nbf)
		} else if known := o.current().find(k.Kid); known != nil {
			one.number = known.number
		}
		one.nbf, one.until = k.Nbf, k.Exp
		f.keys = append(f.keys, one)
	}
	return f
}

// hurry is the classic mistake: a key that seals at once. Policy.Check has to say so.
func (o *operator) hurry() *Violation {
	f := o.next()
	k := o.newKey(o.w.now)
	f.keys = append(f.keys, k)
	// At a tie the larger id seals, and where no key did nobody is ahead of anybody.
	takesOver := o.current().sealer(o.w.now) != nil && f.sealer(o.w.now).id == k.id
	if takesOver && o.check(o.current(), f) == nil {
		return o.w.violation(nil, "a key that seals at once is found", "Policy.Check has nothing against it")
	}
	o.publish(f)
	o.spread()
	return nil
}

// endEarly is another mistake: a key that only opens ends before its last token does.
func (o *operator) endEarly(n uint32) {
	f := o.next()
	for i := range f.keys[:len(f.keys)-1] {
		k := &f.keys[i]
		if end := o.w.now + int64(n)%(secs(o.w.plan.policy.Life)/4); end > k.nbf && (k.until == 0 || k.until > end) {
			k.until = end
			o.w.tell("the operator ends key %d at %d s, before its last token", k.number, end-epoch)
			o.publish(f)
			o.spread()
			return
		}
	}
}

// revoke takes a key out of use, but never the last.
func (o *operator) revoke(n uint32) string {
	last := o.current()
	k := last.keys[int(n)%len(last.keys)]
	f := o.next()
	if o.w.plan.byPolicy {
		p, fresh := o.w.plan.policy, signet.GenerateKey(time.Time{})
		f = o.read(signet.Must(p.Revoke(signet.Must(signet.ParseKeyring(last.text)), fresh, time.Unix(o.w.now, 0), k.id)), fresh.ID())
	} else {
		f.revoked = append(f.revoked, k.id)
		if live := f.sealer(o.w.now); live == nil || live.until != 0 && live.until < o.w.now+secs(o.w.plan.policy.Life) {
			f.keys = append(f.keys, o.newKey(o.w.now))
		}
	}
	o.publish(f)
	o.spread()
	return fmt.Sprintf("revokes key %d", k.number)
}

// spread gives the current file to every instance within the propagation time.
func (o *operator) spread() {
	for i, in := range o.w.instances {
		delay := o.random.Int64N(secs(o.w.plan.policy.Propagation) + 1)
		if !o.w.plan.orderly && i%5 == 4 {
			delay *= 4
		}
		in.pending = append(in.pending, delivery{o.w.now + delay, o.current()})
	}
}

// delivery is a file on its way to an instance.
type delivery struct {
	at   int64
	file *keyFile
}

// instance is one process of the fleet.
type instance struct {
	w        *World
	number   int
	plan     instancePlan
	offset   int64
	keys     *signet.Keyring
	file     *keyFile // what keys holds, as the model knows it
	pending  []delivery
	handlers []http.Handler // by site
	visit    *visit
	log      bytes.Buffer
}

// start starts the process with a file.
func (in *instance) start(f *keyFile) error {
	in.file, in.pending = f, nil
	in.keys = signet.Must(signet.ParseKeyring(f.text))
	in.keys.SetClock(func() time.Time { return time.Unix(in.now(), 0) })
	in.handlers = nil
	log := slog.New(slog.NewTextHandler(&in.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for i := range in.w.plan.sites {
		cfg := in.w.plan.sites[i].versions[in.plan.version]
		cfg.Logger = log
		cfg.Observer = &observer{in: in}
		if in.w.plan.chatty {
			cfg.Observer = &observer{in: in, next: signet.LogObserver(log)}
		}
		h, err := in.program(cfg)
		if err != nil {
			return fmt.Errorf("starting version %d on site %d: %w", in.plan.version+1, i, err)
		}
		in.handlers = append(in.handlers, h)
	}
	return nil
}

func (in *instance) program(cfg signet.Config) (http.Handler, error) {
	var denied func(string) bool
	if in.w.plan.denies {
		denied = in.w.model.isDenied
	}
	if in.plan.version == 0 {
		return newProgram[older](in, cfg, denied)
	}
	return newProgram[newer](in, cfg, denied)
}

func (in *instance) now() int64 { return in.w.now + in.offset }

// catchUp takes the files that have arrived by now, in the order of their arrival.
func (in *instance) catchUp() *Violation {
	slices.SortStableFunc(in.pending, func(a, b delivery) int { return int(a.at - b.at) })
	for len(in.pending) > 0 && in.pending[0].at <= in.w.now {
		f := in.pending[0].file
		in.pending = in.pending[1:]
		if f.generation > in.file.generation || in.w.plan.updates {
			if err := in.take(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// take hands a file to the running process: through Update, which keeps what the file merely lacks, or
// in some worlds through Replace, which obeys.
func (in *instance) take(f *keyFile) *Violation {
	next := signet.Must(signet.ParseKeyring(f.text))
	if !in.w.plan.updates {
		in.file = f
		if err := in.keys.Replace(next); err != nil {
			return in.w.violation(nil, "Replace takes a valid ring", "%v", err)
		}
		return nil
	}
	merged := in.merge(f)
	var unsafe *signet.UnsafeError
	err := in.keys.Update(next)
	if refused := errors.As(err, &unsafe) && unsafe.Refused; refused != (merged == nil) {
		return in.w.violation(nil, "Update refuses what is older or leaves no key to seal with", "generation %d after %d: %v", f.generation, in.file.generation, err)
	}
	if merged != nil {
		in.file = merged
	}
	return nil
}

// merge is what must be in force after Update: nil if it has to refuse the file.
func (in *instance) merge(f *keyFile) *keyFile {
	was, now, p := in.file, in.now(), in.w.plan.policy
	if bytes.Equal(was.text, f.text) {
		return was
	}
	if f.generation <= was.generation || f.sealer(now) == nil {
		return nil
	}
	m := &keyFile{keys: slices.Clone(f.keys), generation: f.generation, text: f.text}
	m.revoked = slices.Concat(was.revoked, f.revoked)
	for _, k := range was.keys {
		in := f.find(k.id)
		live := k.until == 0 || now < k.until
		if !live || in != nil && (in.until == 0 || now < in.until) || slices.Contains(m.revoked, k.id) {
			continue
		}
		end := now + secs(p.Skew) + secs(p.Propagation) + secs(p.Skew) + secs(p.Life) + secs(p.Leeway)
		if !k.kept && (k.until == 0 || k.until > end) {
			k.until = end
		}
		k.kept = true
		m.keys = slices.DeleteFunc(m.keys, func(o masterKey) bool { return o.id == k.id })
		m.keys = append(m.keys, k)
	}
	return m
}
