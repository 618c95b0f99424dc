package signet

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Policy says how keys follow each other. It lives in the key file, so that the fleet's
// propagation, clock skew and token life have one owner. The zero value of each field
// is the default named beside it, and the zero Policy is right for the default session.
//
// A key is published long before it seals, and opens for long after: it seals for Period and lives for
// Period + Life + Skew + Leeway. Two rules follow, which [Policy.Next] keeps and
// [Policy.Check] checks:
//
//   - A key seals no earlier than Propagation + Skew after it was published, so that nobody
//     seals with a key that somebody does not know yet.
//   - A key opens until Life + Leeway after the next one began to seal, and stays in the file for Skew
//     more, so that nobody drops a key of which a token lives.
type Policy struct {
	Period      time.Duration // how long a key seals; 720 h
	Propagation time.Duration // the longest time until the last instance uses a published ring; 1 h
	Skew        time.Duration // the largest difference between two instances' clocks; 5 min
	Life        time.Duration // the longest absolute life of anything sealed; 24 h
	Leeway      time.Duration // given to expiry; 1 min

	// Rate is the peak of tokens per second that the whole fleet seals in Format JWE for one
	// purpose; 1,000. A key may seal 2^32 of those (NIST SP 800-38D §8.3), so Rate × Period
	// may not be more. The other formats have no such limit in practice.
	Rate uint32
}

func (p Policy) period() time.Duration      { return or(p.Period, 30*24*time.Hour) }
func (p Policy) propagation() time.Duration { return or(p.Propagation, time.Hour) }
func (p Policy) skew() time.Duration        { return or(p.Skew, 5*time.Minute) }
func (p Policy) life() time.Duration        { return or(p.Life, 24*time.Hour) }
func (p Policy) leeway() time.Duration      { return or(p.Leeway, time.Minute) }
func (p Policy) rate() uint32               { return or(p.Rate, 1000) }

func or[N time.Duration | uint32](n, def N) N {
	if n == 0 {
		return def
	}
	return n
}

// maxPolicy bounds every duration: far above any use, far below where sums overflow.
const maxPolicy = 10 * 365 * 24 * time.Hour

// validate reports every field that is out of bounds.
func (p Policy) validate() error {
	var errs []error
	for _, f := range policyFields(&p) {
		switch d := *f.d; {
		case d < 0:
			errs = append(errs, fmt.Errorf("signet: policy %s is negative (%v); leave it out for the default", f.name, d))
		case d > maxPolicy:
			errs = append(errs, fmt.Errorf("signet: policy %s is over ten years (%v)", f.name, d))
		case d%time.Second != 0:
			errs = append(errs, fmt.Errorf("signet: policy %s is not in whole seconds (%v)", f.name, d))
		}
	}
	if p.period() < p.propagation()+p.skew() {
		errs = append(errs, fmt.Errorf("signet: policy period (%v) is shorter than propagation and skew together (%v): a key would be followed before it is known everywhere",
			p.period(), p.propagation()+p.skew()))
	}
	if p.Rate != 0 {
		errs = append(errs, p.withinBudget())
	}
	return errors.Join(errs...)
}

// sealBudget is how often one AES-GCM key may draw a random nonce (NIST SP 800-38D §8.3).
const sealBudget = 1 << 32

// withinBudget reports a period in which a JWE key could seal too often.
func (p Policy) withinBudget() error {
	if longest := sealBudget / int64(p.rate()); seconds(p.period()) > longest {
		return fmt.Errorf(`signet: in a period of %v one key would seal more than 2^32 JWEs at a rate of %d/s; set "policy": {"period": "%dh"} or a lower "rate" in the key file, or use Format JWEKeyWrap`,
			shortDuration(p.period()), p.rate(), longest/3600)
	}
	return nil
}

// allows reports a life that a key of this policy might not outlive.
func (p Policy) allows(life time.Duration) error {
	if life > p.life() {
		return fmt.Errorf(`signet: a life of %v is above the policy's %v; set "policy": {"life": "%s"} in the key file (life=%s in the short form, Policy.Life in code)`,
			life, p.life(), shortDuration(life), shortDuration(life))
	}
	return nil
}

// widest is, field by field, what is safe under p and under q. Tokens that were sealed
// under an older policy live on, and an instance that lags still acts by it.
func (p Policy) widest(q Policy) Policy {
	return Policy{
		Period: p.period(), Rate: p.Rate,
		Propagation: max(p.propagation(), q.propagation()),
		Skew:        max(p.skew(), q.skew()),
		Life:        max(p.life(), q.life()),
		Leeway:      max(p.leeway(), q.leeway()),
	}
}

// spread is P + S in seconds: what was published at a clock of t is used by everybody
// when the fastest clock shows t + spread.
func (p Policy) spread() int64 { return seconds(p.propagation()) + seconds(p.skew()) }

// tail is L + ε in seconds: a token that was sealed before t is dead at t + tail, whichever
// clock says so.
func (p Policy) tail() int64 { return seconds(p.life()) + seconds(p.leeway()) }

// Next returns the ring that should follow at now, under p: it publishes fresh if no key waits to
// follow the one that seals, says until when each followed key opens, and drops the keys that have
// ended and those that are revoked. It promotes nobody: the clock does.
//
// It is pure. The same arguments give the same ring, and if there is nothing to do it returns ring
// itself, so it may run as often as one likes, from cron or a pipeline. It may also run too late:
// a key seals until there is another. Two machines that call it at once draw two different
// keys, so write its result only if the file still has the Generation that was read, as
// the command "signet keys rotate" does.
//
// The usual p is ring.Policy(). Another one becomes the policy of the result. Next returns an error
// for a p that contradicts itself and for a fresh that is the zero Key or in the ring already.
func (p Policy) Next(ring *Keyring, fresh Key, now time.Time) (*Keyring, error) {
	g, err := p.ready(ring, fresh)
	if err != nil {
		return nil, err
	}
	w, t := p.widest(g.policy), now.Unix()
	return p.succeed(ring, w.prolong(w.publish(g, fresh, t), t), g.revoked, t)
}

// Hasten is [Policy.Next] for an operator who does not want to wait for the period: it also
// brings the key that follows forward to the first moment at which every instance knows it, which is
// now if it was published Propagation + Skew ago.
func (p Policy) Hasten(ring *Keyring, fresh Key, now time.Time) (*Keyring, error) {
	g, err := p.ready(ring, fresh)
	if err != nil {
		return nil, err
	}
	w, t := p.widest(g.policy), now.Unix()
	return p.succeed(ring, w.prolong(w.hasten(w.publish(g, fresh, t), t), t), g.revoked, t)
}

// Revoke returns the ring in which the keys of these ids open nothing any more: their sessions end, on purpose, on
// each instance when it loads the ring. Their ids stay in it for good, the keys do not. If the one
// that seals is among them, the one that waits takes over at once, or fresh where none
// does; [Policy.Check] says whether every instance knows it already.
//
// An id of which the ring holds no key is kept too: it may be in an older file. Revoke returns an
// error for what is no id.
func (p Policy) Revoke(ring *Keyring, fresh Key, now time.Time, ids ...string) (*Keyring, error) {
	g, err := p.ready(ring, fresh)
	if err != nil {
		return nil, err
	}
	t := now.Unix()
	without := *g
	if without.revoked, err = g.revokedWith(ids); err != nil {
		return nil, err
	}
	w, sealer := p.widest(g.policy), g.sealer(t)
	keys := without.unrevoked()
	if sealer == nil || without.revoked[sealer.id] {
		keys = w.takeOver(keys, fresh, t)
	} else {
		keys = w.publish(&without, fresh, t)
	}
	return p.succeed(ring, w.prolong(keys, t), without.revoked, t)
}

// ready checks what Next, Hasten and Revoke are given.
func (p Policy) ready(ring *Keyring, fresh Key) (*ring, error) {
	g, err := ring.state()
	if err != nil {
		return nil, err
	}
	if err := p.validate(); err != nil {
		return nil, err
	}
	if fresh.open == nil {
		return nil, errors.New("signet: the fresh key is the zero Key; make it with GenerateKey")
	}
	if id := fresh.open().id; g.byID[id] != nil || g.revoked[id] {
		return nil, fmt.Errorf("signet: the fresh key %s is in the ring already; make another with GenerateKey", id)
	}
	return g, nil
}

func (g *ring) unrevoked() []*key {
	return slices.DeleteFunc(slices.Clone(g.keys), func(k *key) bool { return g.revoked[k.id] })
}

// publish is the keys of g that are not revoked, and fresh if none of them waits.
func (p Policy) publish(g *ring, fresh Key, t int64) []*key {
	keys := g.unrevoked()
	if !waits(g, t) {
		keys = append(keys, p.successor(g, fresh, t))
	}
	return keys
}

// waits reports a key that will follow the one that seals.
func waits(g *ring, t int64) bool {
	sealer := g.sealer(t)
	return slices.ContainsFunc(g.keys, func(k *key) bool { return k != sealer && k.notBefore > t && !g.revoked[k.id] })
}

// successor is fresh with the times of the key that follows the one that seals.
func (p Policy) successor(g *ring, fresh Key, t int64) *key {
	k := *fresh.open()
	k.issued, k.notAfter = t, 0
	sealer := g.sealer(t)
	if sealer == nil {
		k.notBefore = t // nothing to wait for: no instance can seal
		return &k
	}
	began := max(sealer.notBefore, sealer.issued)
	if began == 0 {
		began = t
	}
	k.notBefore = min(max(began+seconds(p.period()), t+p.spread()), math.MaxUint32)
	return &k
}

// hasten moves the earliest key that waits to where every instance knows it.
func (p Policy) hasten(keys []*key, t int64) []*key {
	sortKeys(keys)
	i := slices.IndexFunc(keys, func(k *key) bool { return k.notBefore > t })
	if i < 1 { // none waits, or a lone key that seals already
		return keys
	}
	sooner := *keys[i]
	sooner.notBefore = min(sooner.notBefore, max(t, published(&sooner, t)+p.spread()))
	keys[i] = &sooner
	return keys
}

// published is when k was, or t if k does not say.
func published(k *key, t int64) int64 {
	if k.issued == 0 {
		return t
	}
	return k.issued
}

// takeOver makes the earliest key that waits seal on every clock, so that no key that is
// already opening only seals again.
func (p Policy) takeOver(keys []*key, fresh Key, t int64) []*key {
	sortKeys(keys)
	i := slices.IndexFunc(keys, func(k *key) bool { return k.notBefore > t })
	if i < 0 {
		k := *fresh.open()
		k.issued, k.notAfter = t, 0
		keys, i = append(keys, &k), len(keys)
	}
	heir := *keys[i]
	heir.notBefore = t - seconds(p.skew())
	keys[i] = &heir
	return keys
}

// prolong gives every key that is followed its end, and takes it from the last. It never moves an
// end forward: L + ε after the next one seals by the slowest clock, and S more, since that
// is when the key is dropped from the file and faster instances forget it.
func (p Policy) prolong(keys []*key, t int64) []*key {
	sortKeys(keys)
	for i, k := range keys {
		end := int64(0)
		if i+1 < len(keys) {
			followed := keys[i+1].notBefore
			tie := followed <= k.notBefore // k seals nowhere, but may have
			if tie {
				followed = t + p.spread()
			}
			end = min(followed+p.tail()+seconds(p.skew()), math.MaxUint32)
			if k.notAfter != 0 && (tie || k.notAfter > end) {
				end = k.notAfter
			}
		}
		if k.notAfter != end {
			changed := *k
			changed.notAfter = end
			keys[i] = &changed
		}
	}
	return keys
}

// succeed drops what has ended and makes the next generation, or returns ring if it would be the same.
func (p Policy) succeed(ring *Keyring, keys []*key, revoked map[keyID]bool, t int64) (*Keyring, error) {
	g, err := ring.state()
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(k *key) bool { return !k.liveAt(t) })
	ids := make([]keyID, 0, len(revoked))
	for id := range revoked {
		ids = append(ids, id)
	}
	next, err := newRing(keys, ids)
	if err != nil {
		return nil, err
	}
	next.policy, next.generation = p, g.generation
	if next.equal(g) {
		return ring, nil
	}
	next.generation++
	made, err := newKeyring(next, time.Unix(t, 0))
	if err != nil {
		return nil, err
	}
	made.clock.Store(ring.clock.Load())
	return made, nil
}

func (g *ring) revokedWith(ids []string) (map[keyID]bool, error) {
	revoked := make(map[keyID]bool, len(g.revoked)+len(ids))
	for id := range g.revoked {
		revoked[id] = true
	}
	for _, text := range ids {
		id, err := parseKeyID(text)
		if err != nil {
			return nil, fmt.Errorf("signet: revoking: %w", err)
		}
		revoked[id] = true
	}
	if len(revoked) > maxRevoked {
		return nil, fmt.Errorf("signet: more than %d revoked ids", maxRevoked)
	}
	return revoked, nil
}

// equal compares what a key file holds.
func (g *ring) equal(o *ring) bool {
	if g.policy != o.policy || g.generation != o.generation || len(g.keys) != len(o.keys) || len(g.revoked) != len(o.revoked) {
		return false
	}
	for id := range g.revoked {
		if !o.revoked[id] {
			return false
		}
	}
	return slices.EqualFunc(g.keys, o.keys, (*key).equal)
}

func (k *key) equal(o *key) bool {
	return k.secret == o.secret && k.alg == o.alg && k.kept == o.kept &&
		k.issued == o.issued && k.notBefore == o.notBefore && k.notAfter == o.notAfter
}
