package signet

import "time"

// Update takes over what next adds, changes and revokes, and keeps what it merely lacks: a live key that is
// missing goes on opening, though it seals no more, until the last token of it has ended. So a file that
// was cut, rolled back or edited by mistake logs nobody out. It returns an [*UnsafeError] that says what was kept.
//
// If next is older (its generation is lower), as old but different, or would leave no key to seal with, or
// gives a key another alg, the ring stays as it is and the UnsafeError has Refused set. [Keyring.Replace] obeys whatever it is given.
//
// A policy whose life, skew or leeway is lower than before is such a loss too; the ring keeps the higher
// bound until the program starts anew.
//
// The exchange is atomic: no request sees half a ring.
func (r *Keyring) Update(next *Keyring) error {
	n, err := next.state()
	if err != nil {
		return err
	}
	for {
		g, err := r.state()
		if err != nil {
			return err
		}
		merged, findings := g.merge(n, r.now().Unix())
		if merged == nil {
			return &UnsafeError{Findings: findings, Refused: true}
		}
		if merged == g || r.ring.CompareAndSwap(g, merged) {
			if len(findings) > 0 {
				return &UnsafeError{Findings: findings}
			}
			return nil
		}
	}
}

// merge is g brought up to n: a new ring, g itself if there is nothing to do, or nil if n is refused.
func (g *ring) merge(n *ring, t int64) (*ring, []Finding) {
	if g.lastFile().equal(n) {
		return g, nil
	}
	c := change{p: g.policy.widest(n.policy), old: g, next: n, t: t}
	if c.refused(); len(c.found) > 0 {
		return nil, c.found
	}
	m := &ring{policy: c.keepBounds(), generation: n.generation, byID: map[keyID]*key{}, revoked: map[keyID]bool{}, file: n}
	c.revocations()
	for _, revoked := range []map[keyID]bool{g.revoked, n.revoked} {
		for id := range revoked {
			m.revoked[id] = true
		}
	}
	for _, k := range n.keys {
		m.byID[k.id] = g.reuse(k)
	}
	for _, k := range g.keys {
		if kept := c.keep(k); kept != nil {
			m.byID[k.id] = kept
		}
	}
	for _, k := range m.byID {
		m.keys = append(m.keys, k)
	}
	sortKeys(m.keys)
	return m, c.found
}

// lastFile is what Update was last given: g without what was kept.
func (g *ring) lastFile() *ring {
	if g.file != nil {
		return g.file
	}
	return g
}

// refused finds what forbids to use the new ring at all.
func (c *change) refused() {
	c.generations()
	for _, k := range c.next.keys {
		if was := c.old.byID[k.id]; was != nil && was.alg != k.alg {
			c.find("algorithm", k, 0, "has alg %s and had %s, so its tokens would open no more; add a new key of the other alg instead", k.alg, was.alg)
		}
	}
	if c.next.sealer(c.t) == nil {
		c.find("gap", nil, 0, "no key of the new set may seal at %s; is this machine's clock right?", clock(c.t))
	}
}

// keepBounds is the new policy with the old one's higher bounds.
func (c *change) keepBounds() Policy {
	c.policies()
	p, was := c.next.policy, c.old.policy
	for _, f := range []struct {
		set      *time.Duration
		was, now time.Duration
	}{{&p.Life, was.life(), p.life()}, {&p.Skew, was.skew(), p.skew()}, {&p.Leeway, was.leeway(), p.leeway()}} {
		if f.now < f.was {
			*f.set = f.was
		}
	}
	return p
}

// keep returns the key to go on opening with where the new set lacks k or ends it too early, or nil.
// When everybody has the new set nobody seals with k any more, and its tokens end soon after.
func (c *change) keep(k *key) *key {
	t, slow := c.t, c.t+seconds(c.p.skew())
	if !k.liveAt(t) || c.old.revoked[k.id] || c.next.revoked[k.id] {
		return nil
	}
	if now := c.next.byID[k.id]; now != nil && now.liveAt(t) {
		return nil
	}
	kept := *k
	kept.kept = true
	if end := slow + c.p.spread() + c.p.tail(); !k.kept && (k.notAfter == 0 || k.notAfter > end) {
		kept.notAfter = end
	}
	// A key that has ended by a faster clock is dropped from the file while ours still opens with it.
	if !k.kept && (k.notAfter == 0 || k.notAfter > slow) {
		c.find("dropped", k, 0, "is missing from the new set, or ended by it, but not revoked; it opens until %s all the same; restore it, or: signet keys revoke FILE %s",
			clock(kept.notAfter), k.id)
	}
	return &kept
}

// reuse is the key that is in use if it is the same, so that what was derived from it stays cached.
func (g *ring) reuse(k *key) *key {
	if was := g.byID[k.id]; was != nil && was.equal(k) {
		return was
	}
	return k
}
