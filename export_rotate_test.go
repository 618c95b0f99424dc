package signet

import (
	"context"
	"math"
	"time"
)

// What the simulation of rotations uses in place of whole tokens: the functions that seal and open
// ask, without the ciphertext between them.

// SealAt answers what a token sealed at now for life seconds would carry.
func SealAt(r *Keyring, now, life int64) (id uint32, expires int64, clamped, ok bool) {
	k := r.ring.Load().sealer(now)
	if k == nil {
		return 0, 0, false, false
	}
	expires, clamped = k.clamp(now + life)
	return uint32(k.id), expires, clamped, true
}

// OpenAt is what Open answers to an authentic token.
func OpenAt(r *Keyring, id uint32, issued, expires, now int64) error {
	g := r.ring.Load()
	if _, err := g.opener(keyID(id), now); err != nil {
		return err
	}
	if err := g.inTime(issued, now); err != nil {
		return err
	}
	return g.live(expires, now)
}

// KeyTimes is a key in an edited ring. Another Alg changes the key's.
type KeyTimes struct {
	Key                         Key
	Issued, NotBefore, NotAfter int64
	ChaCha                      bool
}

// RingEdit is a ring laid open.
type RingEdit struct {
	Keys       []KeyTimes
	Revoked    []string
	Policy     Policy
	Generation uint64
}

// Edit makes another ring of r; it returns an error where a key file with these contents is one.
func Edit(r *Keyring, now int64, edit func(*RingEdit)) (*Keyring, error) {
	g := r.ring.Load()
	e := RingEdit{Revoked: g.revokedIDs(), Policy: g.policy, Generation: g.generation}
	for _, k := range g.keys {
		e.Keys = append(e.Keys, KeyTimes{k.public(), k.issued, k.notBefore, k.notAfter, k.alg == chaCha20Poly1305})
	}
	edit(&e)
	t := ringText{policy: e.Policy, generation: e.Generation}
	for _, k := range e.Keys {
		made := *k.Key.open()
		made.issued, made.notBefore, made.notAfter, made.alg = k.Issued, max(k.NotBefore, 0), min(k.NotAfter, math.MaxUint32), aes256GCM
		if k.ChaCha {
			made.alg = chaCha20Poly1305
		}
		t.keys = append(t.keys, &made)
	}
	for _, id := range e.Revoked {
		if err := t.revoke(id); err != nil {
			return nil, err
		}
	}
	made, err := t.ring()
	if err != nil {
		return nil, err
	}
	return newKeyring(made, unixTime(now))
}

// Events are the clocks at which the ring changes what it does.
func Events(r *Keyring) []int64 {
	var at []int64
	for _, k := range r.ring.Load().keys {
		at = append(at, k.notBefore)
		if k.notAfter != 0 {
			at = append(at, k.notAfter)
		}
	}
	return at
}

// SameAlgorithm reports whether a token that a sealed under id decrypts at b, where it holds the key.
func SameAlgorithm(a, b *Keyring, id uint32) bool {
	k, o := a.ring.Load().byID[keyID(id)], b.ring.Load().byID[keyID(id)]
	return k == nil || o == nil || k.alg == o.alg
}

// Freeze is a Watch whose goroutine began one load and then never ran again, as in a function that is frozen between
// two requests. It ends with ctx.
func Freeze(ctx context.Context, r *Keyring, every time.Duration, load func(context.Context) (*Keyring, error)) {
	s := newSource(r, ctx, every, load)
	r.source.Store(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(now())
}

// SetBack is the clock set back by d, seen from the times that a source keeps.
func SetBack(r *Keyring, d time.Duration) {
	s := r.source.Load()
	s.began.Add(int64(d))
	s.due.Add(int64(d))
	if f := s.running.Load(); f != nil {
		f.awaited.Add(int64(d))
	}
}
