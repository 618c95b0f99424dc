package sim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// epoch is where virtual time begins: after every real clock that may run this, since ParseKeyring
// asks the real one whether all keys have expired.
const epoch = 2_300_000_000

// plan is the part of a world that does not change: who and what there is.
type plan struct {
	seed      uint64
	policy    signet.Policy
	orderly   bool // the operator keeps the policy, and clocks keep within its skew
	shaped    bool // the two versions disagree on the type of a field
	denies    bool // log-out puts the id on a deny list that Validate asks
	chatty    bool // every event is logged
	byPolicy  bool // the operator uses Policy.Next, Hasten and Revoke
	updates   bool // instances take new files by Update
	sites     []sitePlan
	instances []instancePlan
	browsers  int
	unit      int64 // seconds: the scale of waiting
}

// sitePlan is one cookie on one host. All sites share the fleet and the ring.
type sitePlan struct {
	name, host, domain, tenant string
	partitioned                bool
	sameSite                   http.SameSite
	versions                   [2]signet.Config // what each version of the program sets of it
}

type instancePlan struct {
	version int
	offset  int64 // seconds that its clock is ahead
	proxy   proxyPlan
}

// proxyPlan is what stands before an instance.
type proxyPlan struct {
	requestLimit  int // octets of Cookie field; 0 is none
	cuts          bool
	responseLimit int // octets of response header; 0 is none
	joins         string
}

func newPlan(seed uint64) (*plan, *rand.Rand) {
	r := rand.New(rand.NewPCG(seed, 0x7369676e6574))
	p := &plan{seed: seed, orderly: r.IntN(2) == 0, shaped: r.IntN(8) == 0, denies: r.IntN(3) == 0, chatty: r.IntN(4) == 0,
		byPolicy: r.IntN(2) == 0, updates: r.IntN(4) > 0, browsers: 1 + r.IntN(6)}
	life := pick(r, 10*time.Minute, time.Hour, 24*time.Hour, 30*24*time.Hour)
	p.policy = signet.Policy{
		Life: life, Propagation: life / time.Duration(5+r.IntN(40)) / time.Second * time.Second,
		Skew: pick(r, 2*time.Second, 10*time.Second, life/60), Leeway: pick(r, time.Second, 10*time.Second, time.Minute),
	}
	p.policy.Period = p.policy.Propagation + p.policy.Skew + life/time.Duration(1+r.IntN(4))
	p.unit = int64(life/time.Second) / 300
	p.planSites(r)
	for range 1 + r.IntN(20) {
		p.instances = append(p.instances, p.planInstance(r))
	}
	return p, r
}

func (p *plan) planSites(r *rand.Rand) {
	name, domain := "__Host-Http-session", ""
	switch r.IntN(4) {
	case 0:
		name, domain = "__Secure-session", "example.test"
	case 1:
		name = "sid"
	}
	same := pick(r, http.SameSiteLaxMode, http.SameSiteStrictMode, http.SameSiteNoneMode)
	p.sites = []sitePlan{
		{name: name, host: "shop.example.test", domain: domain, sameSite: same},
		{name: name, host: "shop.other.test", tenant: "other", sameSite: same},
		{name: name + "x", host: "shop.example.test", sameSite: same}, // its neighbour's name begins it
	}
	if domain != "" {
		p.sites[1].domain = "other.test"
	}
	partitioned := name != "sid" && r.IntN(4) == 0
	for i := range p.sites {
		s := &p.sites[i]
		s.partitioned = partitioned
		life := p.policy.Life / time.Duration(1+r.IntN(4))
		idle := pick(r, 0, 0, (life / 8).Round(10*time.Second))
		budgets := []int{2048, 6144, 6144, 12288, 24576}
		if partitioned {
			budgets = []int{2048, 6144, 9216}
		}
		budget := pick(r, budgets...)
		for v := range s.versions {
			s.versions[v] = signet.Config{
				Cookie: signet.Cookie{Name: s.name, Domain: s.domain, SameSite: s.sameSite, Partitioned: partitioned, Budget: budget},
				Format: pick(r, signet.Compact, signet.Compact, signet.JWE, signet.JWEKeyWrap),
				Tenant: s.tenant, Lifetime: life, IdleTimeout: idle,
			}
			if r.IntN(4) == 0 { // the deploy changes more than the program
				budget, life = pick(r, budgets...), p.policy.Life
				idle = pick(r, 0, (life / 10).Round(10*time.Second))
			}
		}
	}
}

func (p *plan) planInstance(r *rand.Rand) instancePlan {
	skew := int64(p.policy.Skew / time.Second)
	in := instancePlan{version: r.IntN(2), offset: r.Int64N(skew+1) - skew/2}
	if !p.orderly && r.IntN(4) == 0 {
		in.offset = r.Int64N(8*skew+1) - 4*skew
	}
	switch r.IntN(6) {
	case 0:
		in.proxy.requestLimit, in.proxy.cuts = pick(r, 3000, 8000, 16000), r.IntN(2) == 0
	case 1:
		in.proxy.responseLimit = pick(r, 4096, 8192)
	case 2:
		in.proxy.joins = pick(r, ", ", "; ", "split", "twice")
	}
	return in
}

func pick[V any](r *rand.Rand, from ...V) V { return from[r.IntN(len(from))] }

// kind is what an event is.
type kind uint8

const (
	kVisit    kind = iota // a browser sends a request
	kServe                // a request in flight reaches an instance
	kArrive               // a response in flight reaches its browser, or is lost
	kAttack               // the attacker sends a request
	kToss                 // a sibling domain sets a cookie
	kJar                  // something happens to a jar
	kOperator             // something happens to the key file
	kInstance             // something happens to an instance
	kToken                // an application's token is sealed and opened
)

// event is one thing that happens after a wait. Its numbers are read modulo whatever there is at that
// time, so that any subset of a world's events is a world too: that is what shrinking needs.
type event struct {
	kind          kind
	wait          int64 // seconds
	a, b, c, d, e uint32
}

func (p *plan) event(r *rand.Rand) event {
	e := event{wait: p.wait(r), a: r.Uint32(), b: r.Uint32(), c: r.Uint32(), d: r.Uint32(), e: r.Uint32()}
	switch n := r.IntN(100); {
	case n < 58:
		e.kind = kVisit
	case n < 64:
		e.kind = kServe
	case n < 71:
		e.kind = kArrive
	case n < 88:
		e.kind = kAttack
	case n < 89:
		e.kind = kToss
	case n < 93:
		e.kind = kJar
	case n < 95:
		e.kind = kOperator
	case n < 97:
		e.kind = kInstance
	default:
		e.kind = kToken
	}
	return e
}

func (p *plan) wait(r *rand.Rand) int64 {
	switch n := r.IntN(1000); {
	case n < 400:
		return 0
	case n < 850:
		return r.Int64N(3)
	case n < 990:
		return r.Int64N(p.unit + 1)
	case n < 998:
		return r.Int64N(20*p.unit + 1)
	}
	return r.Int64N(400 * p.unit)
}

// String tells the world in a few lines.
func (p *plan) String() string {
	var b strings.Builder
	order := "an orderly operator"
	if !p.orderly {
		order = "an operator who makes mistakes"
	}
	fmt.Fprintf(&b, "seed %d: %d instances, %d browsers, %s; life %v, propagation %v, skew %v, leeway %v\n",
		p.seed, len(p.instances), p.browsers, order, p.policy.Life, p.policy.Propagation, p.policy.Skew, p.policy.Leeway)
	for i, s := range p.sites {
		fmt.Fprintf(&b, "  site %d: cookie %s at %s, tenant %q, partitioned %v; ", i, s.name, s.host, s.tenant, s.partitioned)
		for v, c := range s.versions {
			fmt.Fprintf(&b, " version %d: %v, budget %d, lifetime %v, idle %v;", v+1, c.Format, c.Cookie.Budget, c.Lifetime, c.IdleTimeout)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
