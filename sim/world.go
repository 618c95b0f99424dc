package sim

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// World is one run of a plan.
type World struct {
	plan      *plan
	now       int64 // true time, Unix seconds
	instances []*instance
	browsers  []*browser
	operator  *operator
	model     *model
	flights   []*flight
	requests  int // that reached an instance
	step      int
	counts    Counts
	trace     uint64
	story     func(string) // nil unless it is being told
	tokens    []tokenRecord
	mem       [2]runtime.MemStats
}

// Counts is what happened, for the printed table.
type Counts struct {
	Requests, Hostile, Opened, Written, Cleared, Withheld, TooLarge, Rotations int
	Torn, Ambiguous, Expired, Revoked, Unknown, Skew, Denied, Invalid          int
	Allocs, AllocBytes                                                         uint64 // most in one request that was measured
}

// Add adds the counts of another world.
func (c *Counts) Add(d Counts) {
	for i, n := range c.list() {
		*n.at += *d.list()[i].at
	}
	c.Allocs, c.AllocBytes = max(c.Allocs, d.Allocs), max(c.AllocBytes, d.AllocBytes)
}

type counted struct {
	name string
	at   *int
}

func (c *Counts) list() []counted {
	return []counted{{"requests", &c.Requests}, {"of the attacker", &c.Hostile}, {"sessions opened", &c.Opened}, {"written", &c.Written}, {"cleared", &c.Cleared},
		{"writes withheld", &c.Withheld}, {"too large", &c.TooLarge}, {"torn", &c.Torn}, {"ambiguous", &c.Ambiguous}, {"expired", &c.Expired}, {"revoked", &c.Revoked},
		{"unknown key", &c.Unknown}, {"clock skew", &c.Skew}, {"denied", &c.Denied}, {"invalid", &c.Invalid}, {"rotations", &c.Rotations}}
}

// String is the table of what happened.
func (c Counts) String() string {
	var b strings.Builder
	for _, n := range c.list() {
		fmt.Fprintf(&b, "  %-18s %9d\n", n.name, *n.at)
	}
	fmt.Fprintf(&b, "  most in one measured request: %d allocations, %d bytes (bounds %d, %d)\n", c.Allocs, c.AllocBytes, maxAllocs, maxAllocBytes)
	return b.String()
}

// Violation is a promise that did not hold.
type Violation struct {
	Seed     uint64
	Request  int    // counted from 1 in its world
	Property string // which promise
	Detail   string
}

func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d, request %d: %s: %s", v.Seed, v.Request, v.Property, v.Detail)
}

// request is what reaches an instance.
type request struct {
	lines     []string // Cookie fields
	method    string
	crossSite bool
}

// flight is a request on its way to an instance, or its response on the way back.
type flight struct {
	number     int
	browser    *browser // nil: the attacker's
	site       int
	in         *instance
	op         op
	req        request
	jarVersion int
	must       *write // what the jar holds whole, if it does
	cut        bool
	tossed     bool  // the jar may hold what a sibling domain set
	touched    int64 // when its idle clock was set
	served     bool
	servedAt   int64
	set        []string // the response's Set-Cookie lines; nil if there is no response
	wrote      *write
	touches    *session // whose idle clock the response sets
	cleared    bool
}

func newWorld(p *plan) (*World, error) {
	w := &World{plan: p, now: epoch, trace: fnv64(0, "world")}
	w.model = newModel(w)
	w.operator = newOperator(w)
	for i, ip := range p.instances {
		in := &instance{w: w, number: i, plan: ip, offset: ip.offset}
		w.instances = append(w.instances, in)
		if err := in.start(w.operator.current()); err != nil {
			return nil, err
		}
	}
	for i := range p.browsers {
		w.browsers = append(w.browsers, w.newBrowser(i))
	}
	return w, nil
}

func (w *World) newBrowser(i int) *browser {
	return &browser{number: i, latest: make([]*write, len(w.plan.sites)), touched: make([]int64, len(w.plan.sites))}
}

func fnv64(h uint64, text string) uint64 {
	f := fnv.New64a()
	fmt.Fprintf(f, "%d %s", h, text)
	return f.Sum64()
}

// note adds to the trace what random bytes have no part in.
func (w *World) note(numbers ...int) {
	for _, n := range numbers {
		w.trace = (w.trace ^ uint64(n)) * 0x100000001b3
		w.trace ^= w.trace >> 29
	}
}

func (w *World) tell(format string, args ...any) {
	if w.story != nil {
		w.story(fmt.Sprintf("%6ds  ", w.now-epoch) + fmt.Sprintf(format, args...))
	}
}

// do lets one event happen.
func (w *World) do(e event) *Violation {
	w.step++
	w.now += e.wait
	switch e.kind {
	case kVisit:
		return w.visit(e)
	case kServe:
		return w.serveOne(e)
	case kArrive:
		return w.arriveOne(e)
	case kAttack:
		return w.attack(e)
	case kToss:
		w.toss(e)
	case kJar:
		w.jarEvent(e)
	case kOperator:
		return w.operate(e)
	case kInstance:
		return w.instanceEvent(e)
	case kToken:
		return w.token(e)
	}
	return nil
}

// visit lets a browser send a request. Most are answered at once; the others stay in flight, and
// more follow from other tabs meanwhile.
func (w *World) visit(e event) *Violation {
	b := w.browsers[int(e.a)%len(w.browsers)]
	f := w.send(b, siteOf(e.b), w.opOf(e), e.c)
	f.in = w.instances[int(e.c>>8)%len(w.instances)]
	switch e.d % 16 {
	case 0:
		w.tell("visitor %d sends request %d from a tab, which is under way", b.number, f.number)
		w.keep(f)
		return nil
	case 1, 2:
		err := w.serve(f)
		w.keep(f)
		return err
	}
	if err := w.serve(f); err != nil {
		return err
	}
	return w.arrive(f)
}

func siteOf(n uint32) int {
	return [...]int{0, 0, 0, 0, 1, 2}[n%6]
}

func (w *World) keep(f *flight) {
	if len(w.flights) == 12 {
		w.flights = w.flights[1:]
	}
	w.flights = append(w.flights, f)
}

// send makes the request that the browser would make now.
func (w *World) send(b *browser, site int, o op, n uint32) *flight {
	w.requests++
	f := &flight{number: w.requests, browser: b, site: site, op: o, req: request{method: "GET"}}
	if n%4 == 0 {
		f.req.method = "POST"
		f.req.crossSite = n%16 == 0
	}
	host := w.plan.sites[site].host
	field := b.cookies(host, w.now, f.req.method == "POST" && f.req.crossSite)
	if field != "" {
		f.req.lines = []string{field}
	}
	f.jarVersion = b.version
	f.must, f.tossed, f.touched = b.latest[site], b.tossed, b.touched[site]
	if f.req.crossSite || b.tossed {
		f.must = nil
	}
	return f
}

// opOf reads a page's op out of an event.
func (w *World) opOf(e event) op {
	kinds := [...]opKind{opRead, opRead, opRead, opRead, opRead, opWrite, opWrite, opWrite, opWrite, opLogin, opLogin, opMark, opMark, opFlash, opTake, opOwn, opOwn,
		opLogout, opRenew, opRemember, opLife, opSame, opLate, opPanic, opClear, opIgnore, opLogoutThenWrite, opShape}
	o := op{kind: kinds[e.e%uint32(len(kinds))], n: w.requests + 1, style: uint8(e.d >> 4), asksID: e.d>>8&1 == 0, public: e.d>>9&15 == 0}
	o.user = fmt.Sprint("visitor-secret-", e.a%uint32(len(w.browsers)))
	if o.kind == opShape && !w.plan.shaped {
		o.kind = opWrite
	}
	switch size := e.e >> 8; size % 16 {
	case 0, 1:
		o.size = int(size>>4) % 9000
	case 2:
		o.size = int(size>>4) % 24000
	case 3:
		o.size = 2700 + int(size>>4)%400 // around one cookie
	default:
		o.size = int(size>>4) % 200
	}
	o.life = w.plan.policy.Life / time.Duration(1+e.d>>12%4)
	if e.d>>14&7 == 0 {
		o.life = 2 * w.plan.policy.Life
	}
	return o
}

func (w *World) serveOne(e event) *Violation {
	for i := range w.flights {
		f := w.flights[(int(e.a%64)+i)%len(w.flights)]
		if !f.served {
			w.tell("request %d arrives late", f.number)
			return w.serve(f)
		}
	}
	return nil
}

func (w *World) arriveOne(e event) *Violation {
	if len(w.flights) == 0 {
		return nil
	}
	i := int(e.a) % len(w.flights)
	f := w.flights[i]
	if !f.served {
		if err := w.serve(f); err != nil {
			return err
		}
	}
	w.flights = append(w.flights[:i:i], w.flights[i+1:]...)
	if e.b%4 == 0 {
		w.tell("the response to request %d is lost", f.number)
		return nil
	}
	w.tell("the response to request %d arrives", f.number)
	return w.arrive(f)
}

// observer listens to one instance for what the model checks.
type observer struct {
	in   *instance
	next signet.Observer
}

func (o *observer) Observe(ctx context.Context, e signet.Event) {
	if e.Kind == "sealed" && o.in.visit != nil {
		o.in.visit.seen.sealedBy = e.KeyID
	}
	if o.next != nil {
		o.next.Observe(ctx, e)
	}
}

// serve brings a request through the instance's proxy to its program, and judges the response.
func (w *World) serve(f *flight) *Violation {
	f.served, f.servedAt = true, w.now
	w.counts.Requests++
	if err := f.in.catchUp(); err != nil {
		return err
	}
	if refused := w.throughProxy(f); refused {
		w.tell("the proxy of instance %d refuses request %d: its header is too long", f.in.number, f.number)
		w.note(f.number, 400)
		return nil
	}
	v := &visit{op: f.op}
	res := &response{header: http.Header{}}
	want := w.model.expect(f.in, f.site, &f.req)
	measured := w.counts.Requests%101 == 0 || len(f.req.lines) > 0 && len(f.req.lines[0]) > 30000
	if measured {
		runtime.ReadMemStats(&w.mem[0])
	}
	panicked := f.in.handle(f, v, res)
	if measured {
		runtime.ReadMemStats(&w.mem[1])
	}
	if w.story != nil {
		w.tell("request %d: %s at site %d, instance %d (version %d): the page %s%s", f.number, w.who(f), f.site, f.in.number, f.in.plan.version+1, opNames[f.op.kind], w.outcome(v, want))
	}
	if panicked != nil {
		return w.violation(f, "no panic", "%v", panicked)
	}
	if measured {
		if err := w.checkWork(f); err != nil {
			return err
		}
	}
	return w.judge(f, v, res, want)
}

// Bounds on one request, whatever a stranger sends, the page's own work included. The most
// that was measured in a million and a half requests is 368 allocations of 364,384 bytes.
const (
	maxAllocs     = 1000
	maxAllocBytes = 512 << 10
)

func (w *World) checkWork(f *flight) *Violation {
	allocs, bytes := w.mem[1].Mallocs-w.mem[0].Mallocs, w.mem[1].TotalAlloc-w.mem[0].TotalAlloc
	w.counts.Allocs, w.counts.AllocBytes = max(w.counts.Allocs, allocs), max(w.counts.AllocBytes, bytes)
	if allocs > maxAllocs || bytes > maxAllocBytes {
		return w.violation(f, "work is bounded", "%d allocations of %d bytes in one request", allocs, bytes)
	}
	return nil
}

var pageURL = &url.URL{Scheme: "https", Path: "/page"}

// handle runs the program. It returns what it panicked with, if that is not a page's own abort.
func (in *instance) handle(f *flight, v *visit, res *response) (panicked any) {
	site := &in.w.plan.sites[f.site]
	r := &http.Request{Method: f.req.method, URL: pageURL, Host: site.host, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1}
	if len(f.req.lines) > 0 {
		r.Header["Cookie"] = f.req.lines
	}
	if f.req.crossSite {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	in.visit = v
	defer func() {
		in.visit = nil
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panicked = p
		}
	}()
	in.handlers[f.site].ServeHTTP(res, r)
	res.WriteHeader(http.StatusOK)
	return nil
}

func (w *World) violation(f *flight, property, format string, args ...any) *Violation {
	v := &Violation{Seed: w.plan.seed, Request: w.counts.Requests, Property: property, Detail: fmt.Sprintf(format, args...)}
	if f != nil {
		v.Detail = fmt.Sprintf("request %d: ", f.number) + v.Detail
	}
	w.tell("VIOLATION of %q: %s", v.Property, v.Detail)
	return v
}

// throughProxy changes or refuses the request as the instance's proxy does.
func (w *World) throughProxy(f *flight) (refused bool) {
	p := f.in.plan.proxy
	if len(f.req.lines) == 0 {
		return false
	}
	size := 0
	for _, line := range f.req.lines {
		size += len(line)
	}
	if p.requestLimit > 0 && size > p.requestLimit {
		if !p.cuts || len(f.req.lines) > 1 {
			return true
		}
		f.req.lines = []string{f.req.lines[0][:p.requestLimit]}
		f.cut = true
		w.tell("the proxy of instance %d cuts the Cookie field of request %d at %d octets", f.in.number, f.number, p.requestLimit)
	}
	switch line := f.req.lines[0]; p.joins {
	case ", ":
		f.req.lines = []string{strings.ReplaceAll(line, "; ", ", ")}
	case "split":
		f.req.lines = append(strings.Split(line, "; "), f.req.lines[1:]...)
	case "twice":
		f.req.lines = append([]string{line + "; " + line}, f.req.lines[1:]...)
	}
	return false
}

// arrive stores what the response sets, if the browser gets it.
func (w *World) arrive(f *flight) *Violation {
	if f.browser == nil || f.set == nil {
		return nil
	}
	b, site := f.browser, f.site
	size := 0
	for _, line := range f.set {
		size += len("Set-Cookie: \r\n") + len(line)
	}
	if limit := f.in.plan.proxy.responseLimit; limit > 0 && size+150 > limit {
		w.tell("the proxy of instance %d answers 502 instead of request %d: the response header is too long", f.in.number, f.number)
		return nil
	}
	alone := f.jarVersion == b.version && !f.cut && !b.tossed && !f.req.crossSite
	b.evicted = false
	for _, line := range f.set {
		b.set(w.plan.sites[site].host, line, w.now)
	}
	if b.evicted {
		w.tell("the partition of visitor %d is full, and the oldest cookies in it are gone", b.number)
		clear(b.latest)
		return nil
	}
	if f.wrote != nil {
		b.latest[site], b.touched[site] = f.wrote, f.servedAt
	}
	if f.touches != nil {
		b.touched[site] = f.servedAt
		if t := b.latest[site]; t != nil && t.session != f.touches {
			b.latest[site] = nil // a late response put another session's idle clock into the jar
		}
	}
	if f.cleared {
		b.latest[site] = nil
	}
	if alone {
		return w.checkJar(f)
	}
	return nil
}

// checkJar holds that a jar in which nothing else happened has just what the response set, and no
// stale piece of anything before.
func (w *World) checkJar(f *flight) *Violation {
	site := &w.plan.sites[f.site]
	held := slices.DeleteFunc(f.browser.holds(site.host, site.name), func(c stored) bool { return c.name == site.name+".t" })
	if f.cleared && len(held) > 0 {
		return w.violation(f, "log-out leaves nothing", "%d cookies are left in the jar", len(held))
	}
	if f.wrote == nil {
		return nil
	}
	for i, piece := range f.wrote.pieces {
		at := slices.IndexFunc(held, func(c stored) bool {
			return c.name == pieceName(site.name, i) && c.value == piece && c.partitioned == site.partitioned
		})
		if at < 0 {
			return w.violation(f, "a browser keeps what is set", "the jar does not hold piece %d as it was set", i)
		}
		held = slices.Delete(held, at, at+1)
	}
	if len(held) > 0 {
		return w.violation(f, "no stale piece stays", "beside write %d the jar holds %d older cookies", f.wrote.number, len(held))
	}
	return nil
}

func pieceName(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprintf("%s.%d", name, i)
}

func (w *World) who(f *flight) string {
	if f.browser == nil {
		return "the attacker"
	}
	return fmt.Sprintf("visitor %d", f.browser.number)
}

func (w *World) outcome(v *visit, want verdict) string {
	if !v.seen.got {
		return ""
	}
	if !v.seen.isNew {
		n := 0
		if want.w != nil {
			n = want.w.number
		}
		return fmt.Sprintf("; it sees a session of %q, write %d by the data (expected: write %d)", v.seen.fields.user, v.seen.fields.seq, n)
	}
	if want.w != nil {
		return fmt.Sprintf("; it sees a new visitor (%v) where write %d was expected", v.seen.err, want.w.number)
	}
	return fmt.Sprintf("; it sees a new visitor (%v)", v.seen.err)
}

// Run runs one world for at most that many requests, and returns the number, what happened, the
// trace and the first promise that did not hold.
func Run(seed uint64, limit int) (Counts, uint64, *Violation) {
	p, r := newPlan(seed)
	w, err := newWorld(p)
	if err != nil {
		return Counts{}, 0, &Violation{Seed: seed, Property: "a valid plan starts", Detail: err.Error()}
	}
	return w.run(func() (event, bool) { return p.event(r), w.counts.Requests < limit })
}

func (w *World) run(next func() (event, bool)) (Counts, uint64, *Violation) {
	for {
		e, more := next()
		if !more {
			return w.counts, w.trace, nil
		}
		if v := w.do(e); v != nil {
			return w.counts, w.trace, v
		}
	}
}

// events are those of a seed, up to and with the one at which a request count is reached.
func events(seed uint64, n int) []event {
	p, r := newPlan(seed)
	all := make([]event, n)
	for i := range all {
		all[i] = p.event(r)
	}
	return all
}
