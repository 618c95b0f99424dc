package signet

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Finding is one way in which a ring, or a change of rings, loses sessions.
type Finding struct {
	// Kind is one of
	//
	//	early       a key seals before every instance knows it
	//	dropped     a key is gone while tokens of it may live
	//	short       a key ends while tokens of it may live, so that they end with it
	//	gap         for a time no key seals
	//	ahead       the only key seals from a time that is still to come
	//	algorithm   a key has another alg than before
	//	policy      a bound was lowered while tokens live by the old one
	//	generation  the file is older than the one before, or as old and different
	//	unrevoked   a revoked id is no longer revoked
	//	crowded     the ring has more than 16 keys
	//	budget      a key seals more JWEs than the policy's Rate allows
	Kind  string
	KeyID string        // the key, or empty if it is the ring
	By    time.Duration // by how much the bound is missed, or zero
	Text  string        // the whole in words, with the cure; never a key
}

// String is the finding in words.
func (f Finding) String() string { return f.Text }

// UnsafeError is what [Policy.Check] and [Keyring.Update] found. Findings is never empty.
type UnsafeError struct {
	Findings []Finding
	// Refused says that Update left the ring as it was. Otherwise it obeyed what was safe.
	Refused bool
}

func (e *UnsafeError) Error() string {
	texts := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		texts[i] = f.Text
	}
	return "signet: unsafe keys: " + strings.Join(texts, "; ")
}

const crowdedRing = 16

// Check reports every way in which replacing old by next at now could log somebody out, as an [*UnsafeError]
// whose findings name the key, the bound and by how much it is missed, or nil. Its bounds are the widest of p and of
// the policies that the two rings carry; the usual p is next.Policy(). Revocations are no
// findings, since they end sessions on purpose.
//
// Check(ring, ring, now), or a nil old, looks at one ring alone: at what its keys will do by themselves.
//
// The assumption is that each instance uses next, exactly, from some moment within Propagation of now on,
// and that no two clocks differ by more than Skew.
func (p Policy) Check(old, next *Keyring, now time.Time) error {
	b, err := next.state()
	if err != nil {
		return err
	}
	if err := p.validate(); err != nil {
		return err
	}
	c := change{p: p.widest(b.policy), next: b, t: now.Unix()}
	if old != nil {
		if c.old, err = old.state(); err != nil {
			return err
		}
		c.p = c.p.widest(c.old.policy)
		c.known()
		c.outlived()
		c.policies()
		c.revocations()
		c.generations()
	}
	c.endings()
	c.size()
	if len(c.found) == 0 {
		return nil
	}
	return &UnsafeError{Findings: c.found}
}

// change is a check at work. Times are Unix seconds, each by the clock of whoever acts.
type change struct {
	p         Policy
	old, next *ring
	t         int64
	found     []Finding
}

func (c *change) find(kind string, k *key, by int64, format string, args ...any) {
	f := Finding{Kind: kind, By: time.Duration(by) * time.Second}
	text := fmt.Sprintf(format, args...)
	if k != nil {
		f.KeyID = k.id.String()
		text = "key " + f.KeyID + " " + text
	}
	f.Text = text
	if !slices.ContainsFunc(c.found, func(o Finding) bool { return o.Kind == f.Kind && o.KeyID == f.KeyID }) {
		c.found = append(c.found, f)
	}
}

// span says that a key seals while from ≤ clock < to.
type span struct {
	key      *key // nil where none does
	from, to int64
}

const forever = math.MaxInt64 / 2 // far above every sum of times

// timeline is what sealer answers at every clock. It asks sealer itself at each moment at which
// the answer can change.
func (g *ring) timeline() []span {
	cuts := []int64{0}
	for _, k := range g.keys {
		cuts = append(cuts, k.notBefore, k.notAfter)
	}
	slices.Sort(cuts)
	var line []span
	for _, cut := range slices.Compact(cuts) {
		k := g.sealer(cut)
		if n := len(line); n > 0 {
			if line[n-1].key == k {
				continue
			}
			line[n-1].to = cut
		}
		line = append(line, span{k, cut, forever})
	}
	return line
}

// known: nobody seals with a key that somebody does not know. Until the fastest clock shows
// t + P + S there may be an instance that still has the old ring.
func (c *change) known() {
	everywhere := c.t + c.p.spread()
	slowest := c.t - seconds(c.p.skew())
	line := c.old.timeline()
	for _, s := range c.next.timeline() {
		first, last := max(s.from, slowest), min(s.to, everywhere)
		if s.key == nil || first >= last {
			continue
		}
		since := c.t
		if k := c.old.byID[s.key.id]; k != nil && !c.old.revoked[k.id] {
			since = published(k, c.t)
			if dead := min(everywhere, last+c.p.tail()); k.notAfter != 0 && k.notAfter < dead {
				c.find("early", s.key, dead-k.notAfter, "seals until %s, but instances with the old ring open it only until %s; let another key follow sooner", clock(last), clock(k.notAfter))
				continue
			}
		}
		// What the old ring seals with too is known to be known.
		for _, was := range line {
			if was.key != nil && was.key.id == s.key.id && was.from <= first {
				first = max(first, was.to)
			}
		}
		if bound := since + c.p.spread(); first < min(bound, last) {
			c.find("early", s.key, bound-first, "seals from %s, %s before every instance knows it; let it seal from %s (nbf %d) or later",
				clock(first), lasting(bound-first), clock(bound), bound)
		}
	}
}

// outlived: nobody drops a key while a token of its lives.
func (c *change) outlived() {
	everywhere := c.t + c.p.spread()
	line := c.old.timeline()
	for _, k := range c.old.keys {
		if c.old.revoked[k.id] || c.next.revoked[k.id] {
			continue
		}
		until, waits := sealsUntil(line, k)
		if waits >= everywhere {
			continue // nobody has sealed with it, or will before the new ring is in use
		}
		// An end that the file has set is respected: it may be later than the ring by itself shows, if the
		// next key was hastened, and it may be sooner, and then the tokens end with the key.
		dead := min(until, everywhere) + c.p.tail()
		if k.notAfter != 0 {
			dead = min(dead, k.notAfter)
		}
		safe := max(dead+seconds(c.p.skew()), k.notAfter)
		if c.t < safe {
			c.lives(k, until > everywhere, max(dead, k.notAfter), safe)
		}
	}
}

// sealsUntil is the end of the last time that k seals, and the begin of the first. A key that
// never does may have, in another edition of the file.
func sealsUntil(line []span, k *key) (to, from int64) {
	to, from = forever, 0
	for i := len(line) - 1; i >= 0; i-- {
		if line[i].key == k {
			if from == 0 && to == forever {
				to = line[i].to
			}
			from = line[i].from
		}
	}
	return to, from
}

// lives judges what the new ring does to a key of which tokens live.
func (c *change) lives(k *key, seals bool, dead, safe int64) {
	is := c.next.byID[k.id]
	switch {
	case is == nil && seals:
		c.find("dropped", k, safe-c.t, "may still seal and is gone; keep it until %s after another key seals everywhere; to rotate: signet keys rotate FILE", lasting(c.p.tail()+seconds(c.p.skew())))
	case is == nil:
		c.find("dropped", k, safe-c.t, "is gone, but tokens of it live until %s; drop it %s later, at %s", clock(dead), lasting(safe-c.t), clock(safe))
	case is.notAfter != 0 && is.notAfter < dead:
		c.find("short", k, dead-is.notAfter, "ends at %s, but tokens of it live until %s; let it end %s later (exp %d)", clock(is.notAfter), clock(dead), lasting(dead-is.notAfter), dead)
	case is.alg != k.alg:
		c.find("algorithm", k, 0, "has alg %s and had %s, so its tokens open no more; add a new key of the other alg instead", is.alg, k.alg)
	}
}

// endings: what the new ring does by itself, from now on.
func (c *change) endings() {
	slowest := c.t - seconds(c.p.skew())
	for _, s := range c.next.timeline() {
		switch dead := s.to + c.p.tail(); {
		case s.to <= slowest:
		case s.key == nil:
			c.find("gap", nil, 0, "no key seals from %s on; run: signet keys rotate FILE", clock(s.from))
		case s.key.notAfter != 0 && s.key.notAfter < dead:
			c.find("short", s.key, dead-s.key.notAfter, "ends at %s and seals until %s, so its last sessions end up to %s early; let it end later (exp %d): signet keys rotate FILE does",
				clock(s.key.notAfter), clock(s.to), lasting(dead-s.key.notAfter), dead)
		}
		c.budget(s)
	}
	if usable := c.next.unrevoked(); len(usable) == 1 && usable[0].notBefore > c.t {
		c.find("ahead", usable[0], 0, "is the only one and is to seal from %s, though it must seal now; is a key missing from the file?", clock(usable[0].notBefore))
	}
}

func (c *change) budget(s span) {
	if c.p.Rate == 0 || s.key == nil || s.to <= c.t {
		return
	}
	until := max(s.from, s.key.issued) + sealBudget/int64(c.p.Rate)
	if s.to == forever {
		s.to = c.t // it may be followed in time
	}
	if s.to > max(until, c.t+c.p.spread()) {
		c.find("budget", s.key, s.to-until, "seals until %s, but at %d JWEs a second only until %s; let the next one seal %s sooner", clock(s.to), c.p.Rate, clock(until), lasting(s.to-until))
	}
}

// policies: a bound by which tokens live must not be lowered under them.
func (c *change) policies() {
	was, is := c.old.policy, c.next.policy
	for _, f := range []struct {
		name    string
		was, is time.Duration
		cure    string
	}{
		{"life", was.life(), is.life(), "sessions older than that are refused; lower Config.Lifetime first and this a full life later"},
		{"skew", was.skew(), is.skew(), "what an instance with a faster clock seals is refused; lower it only if the clocks are that good"},
		{"leeway", was.leeway(), is.leeway(), "sessions end that much sooner"},
	} {
		if f.is < f.was {
			c.find("policy", nil, seconds(f.was-f.is), "policy %s goes from %s to %s: %s", f.name, shortDuration(f.was), shortDuration(f.is), f.cure)
		}
	}
	if lag := time.Duration(c.p.spread()) * time.Second; is.life() > was.life() && was.life()+was.leeway() < lag {
		c.find("policy", nil, seconds(lag-was.life()-was.leeway()), "policy life goes from %s to %s: until every instance knows, within %s, some refuse sessions at the old age; raise it first, use it then",
			shortDuration(was.life()), shortDuration(is.life()), shortDuration(lag))
	}
}

// revocations: what leaked stays leaked.
func (c *change) revocations() {
	for _, id := range c.old.revokedIDs() {
		if parsed, err := parseKeyID(id); err == nil && !c.next.revoked[parsed] {
			c.find("unrevoked", &key{id: parsed}, 0, "was revoked and is no longer; put it back into \"revoked\"")
		}
	}
}

// generations: a running instance takes only a newer file, so one that is not newer is never used.
func (c *change) generations() {
	was, is := c.old.generation, c.next.generation
	switch {
	case is < was:
		c.find("generation", nil, 0, "generation %d follows %d: running instances refuse an older file; set it to %d", is, was, was+1)
	case is == was && was != 0 && !c.old.equal(c.next):
		c.find("generation", nil, 0, "generation %d is there twice with different contents: running instances refuse the second; set it to %d", is, was+1)
	}
}

func (c *change) size() {
	if n := len(c.next.keys); n > crowdedRing {
		c.find("crowded", nil, 0, "the ring has %d keys, more than %d; run signet keys rotate FILE regularly, it drops the ended ones", n, crowdedRing)
	}
}

func clock(t int64) string { return time.Unix(t, 0).UTC().Format("2006-01-02 15:04:05 UTC") }

func lasting(seconds int64) string { return shortDuration(time.Duration(seconds) * time.Second) }
