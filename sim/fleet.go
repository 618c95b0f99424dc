package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
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
		if k.until != 0 && now >= k.until || slices.Contains(f.revoked, k.id) {
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

// rotate publishes the next key by the rule of the design: it seals when everybody knows it, and
// the one before it opens for as long as anything that it sealed lives.
func (o *operator) rotate() bool {
	p := o.w.plan.policy
	newest := o.current().keys[len(o.current().keys)-1]
	if o.w.now < newest.nbf || o.w.now < newest.issued+secs(p.Propagation) {
		return false // the one before is not in use yet
	}
	f := o.next()
	if len(f.keys) > 20 {
		return false
	}
	k := o.newKey(o.w.now + secs(p.Propagation) + secs(p.Skew))
	if last := &f.keys[len(f.keys)-1]; last.until == 0 {
		last.until = k.nbf + secs(p.Life) + secs(p.Leeway) + secs(p.Skew)
	}
	f.keys = append(f.keys, k)
	o.publish(f)
	o.spread()
	return true
}

// hurry is the classic mistake: a key that seals at once.
func (o *operator) hurry() {
	f := o.next()
	f.keys = append(f.keys, o.newKey(o.w.now))
	o.publish(f)
	o.spread()
}

// revoke takes a key out of use, but never the last.
func (o *operator) revoke(n uint32) string {
	f := o.next()
	k := f.keys[int(n)%len(f.keys)]
	f.revoked = append(f.revoked, k.id)
	if live := f.sealer(o.w.now); live == nil || live.until != 0 && live.until < o.w.now+secs(o.w.plan.policy.Life) {
		f.keys = append(f.keys, o.newKey(o.w.now))
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
func (in *instance) catchUp() {
	slices.SortStableFunc(in.pending, func(a, b delivery) int { return int(a.at - b.at) })
	for len(in.pending) > 0 && in.pending[0].at <= in.w.now {
		f := in.pending[0].file
		in.pending = in.pending[1:]
		if f.generation > in.file.generation {
			in.take(f)
		}
	}
}

func (in *instance) take(f *keyFile) {
	if err := in.keys.Replace(signet.Must(signet.ParseKeyring(f.text))); err != nil {
		panic(err) // a ring that was just parsed
	}
	in.file = f
}
