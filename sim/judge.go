package sim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/signet-go/signet"
)

// forget makes the model miss writes, so that a test can see it fail.
var forget func(*write) bool

// judge compares a response with what the model allows.
func (w *World) judge(f *flight, v *visit, res *response, want verdict) *Violation {
	w.count(f, v)
	if res.status >= 500 {
		return w.violation(f, "no 5xx", "status %d", res.status)
	}
	if err := w.checkLog(f, res); err != nil {
		return err
	}
	if v.op.kind == opIgnore {
		if len(res.sent["Set-Cookie"])+len(res.sent["Vary"]) > 0 {
			return w.violation(f, "who does not ask pays nothing", "the response has headers of ours")
		}
		return nil
	}
	if err := w.judgeSight(f, v, &want); err != nil {
		return err
	}
	if res.status == 0 { // the page panicked
		return nil
	}
	set, err := w.parse(f, res)
	if err != nil {
		return err
	}
	f.set = res.sent["Set-Cookie"]
	if err := w.judgeOutcome(f, v, want, set); err != nil {
		return err
	}
	w.note(f.number, f.site, f.in.number, int(v.op.kind), res.status, len(set.pieces), set.size, btoi(v.seen.isNew), int(w.now-epoch))
	return w.judgeCaching(f, v, res, set)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (w *World) count(f *flight, v *visit) {
	c := &w.counts
	if f.browser == nil {
		c.Hostile++
	}
	if v.seen.got && !v.seen.isNew {
		c.Opened++
	}
	for _, one := range []struct {
		err error
		n   *int
	}{{signet.ErrTorn, &c.Torn}, {signet.ErrAmbiguous, &c.Ambiguous}, {signet.ErrExpired, &c.Expired}, {signet.ErrRevoked, &c.Revoked},
		{signet.ErrUnknownKey, &c.Unknown}, {signet.ErrClockSkew, &c.Skew}, {errDenied, &c.Denied}, {signet.ErrInvalid, &c.Invalid}} {
		if v.seen.err != nil && errors.Is(v.seen.err, one.err) {
			*one.n++
		}
	}
}

// checkLog holds that nothing secret is in what was logged.
func (w *World) checkLog(f *flight, res *response) *Violation {
	if f.in.log.Len() == 0 {
		return nil
	}
	text := f.in.log.String()
	f.in.log.Reset()
	secrets := append([]string{"visitor-secret-", "message ", "<0&0>"}, w.operator.secrets...)
	for _, line := range slices.Concat(f.req.lines, res.sent["Set-Cookie"]) {
		for pair := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
			_, value, _ := strings.Cut(pair, "=")
			if len(value) > 20 {
				secrets = append(secrets, value[:20])
			}
		}
		if len(secrets) > 100 {
			break
		}
	}
	for _, s := range secrets {
		if strings.Contains(text, s) {
			return w.violation(f, "no secret in a log line", "the log holds %q…", s[:min(len(s), 6)])
		}
	}
	return nil
}

// judgeSight compares what the page saw.
func (w *World) judgeSight(f *flight, v *visit, want *verdict) *Violation {
	s := &v.seen
	if s.isNew {
		return w.judgeNew(f, s, want)
	}
	if want.w == nil {
		return w.violation(f, "nobody is let in", "a session of %q opened, where the request carries none that counts (%v)", s.fields.user, want.err)
	}
	t := want.w
	if seen := t.fields.project(f.in.plan.version); !s.fields.equal(&seen) {
		return w.violation(f, "what is seen is what was written", "saw %s, want %s of write %d", show(&s.fields), show(&seen), t.number)
	}
	if s.created != t.created || s.expires != t.expires || s.persistent != t.persistent {
		return w.violation(f, "times and persistence are as sealed", "created %d, expires %d, persistent %v; want %d, %d, %v", s.created, s.expires, s.persistent, t.created, t.expires, t.persistent)
	}
	if err := w.judgeID(f, s.id, t.session); err != nil {
		return err
	}
	return w.judgeOpened(f, t)
}

func show(f *fields) string {
	return fmt.Sprintf("{%s %d pad %d %v %v %q %q %q}", f.user, f.seq, len(f.pad), f.marks, f.flashes, f.old, f.new, f.shape)
}

func (w *World) judgeNew(f *flight, s *sight, want *verdict) *Violation {
	if want.w != nil {
		return w.violation(f, "what was written is there", "a new visitor (%v), where write %d is good", s.err, want.w.number)
	}
	if want.sure && !sameReason(s.err, want.err) {
		return w.violation(f, "the reason is the right one", "%v, want %v", s.err, want.err)
	}
	if !s.fields.equal(&fields{}) {
		return w.violation(f, "a new session is empty", "it holds %s", show(&s.fields))
	}
	return w.judgeLoss(f, want)
}

// judgeLoss holds that under an operator who keeps the policy nobody loses a session that
// the jar still holds, but for its end, idleness or the deny list.
func (w *World) judgeLoss(f *flight, want *verdict) *Violation {
	t := f.must
	if t == nil || f.cut || !w.plan.orderly || t.session.denied {
		return nil
	}
	if t.fields.shape != "" && want.err == signet.ErrInvalid {
		return nil
	}
	site := &w.plan.sites[f.site]
	if want.err == signet.ErrExpired && site.versions[0].IdleTimeout != site.versions[1].IdleTimeout {
		return nil // what one version does not know of it cannot keep for the other
	}
	idle := secs(site.versions[f.in.plan.version].IdleTimeout)
	skew := secs(w.plan.policy.Skew)
	if w.now+skew >= t.expires || idle > 0 && w.now+skew > f.touched+idle {
		return nil
	}
	return w.violation(f, "no session is lost", "write %d of %d s ago, good for another %d s, was not found (%v)", t.number, w.now-t.at, t.expires-w.now, want.err)
}

func (w *World) judgeID(f *flight, id string, s *session) *Violation {
	if s.id == id {
		return nil
	}
	if s.id != "" {
		return w.violation(f, "an id stays until Renew", "session %d has another id", s.number)
	}
	return w.learn(f, id, s)
}

// learn keeps the id of a session when it is first seen.
func (w *World) learn(f *flight, id string, s *session) *Violation {
	if other := w.model.sessions[id]; other != nil && other != s {
		return w.violation(f, "Renew and a new session draw a new id", "sessions %d and %d have one id", other.number, s.number)
	}
	s.id = id
	w.model.sessions[id] = s
	return nil
}

// judgeOpened holds what must be true of every session that opens, on true time.
func (w *World) judgeOpened(f *flight, t *write) *Violation {
	p := w.plan.policy
	if f.browser != nil && t.owner != f.browser && !f.tossed {
		return w.violation(f, "nobody sees another's session", "visitor %d sees write %d, which is another's", f.browser.number, t.number)
	}
	if t.site != f.site {
		return w.violation(f, "no cookie opens under another name or tenant", "write %d is of site %d", t.number, t.site)
	}
	if end := t.session.began + t.expires - t.created + secs(p.Leeway) + secs(p.Skew); w.plan.orderly && w.now > end {
		return w.violation(f, "no session outlives its life", "write %d is accepted %d s after its end on any clock", t.number, w.now-end)
	}
	if slices.Contains(f.in.file.revoked, t.key.id) {
		return w.violation(f, "a revoked key opens nothing", "write %d is of revoked key %d", t.number, t.key.number)
	}
	return nil
}

// cookies is what a response sets and expires of a site's cookie.
type cookies struct {
	pieces  []string
	touch   string
	expired [9]bool
	maxAge  int64 // of pieces; 0 is none
	size    int
	any     bool
}

// parse reads the Set-Cookie lines, and holds what is true of each.
func (w *World) parse(f *flight, res *response) (c cookies, violation *Violation) {
	site := &w.plan.sites[f.site]
	var seen, twin [9]bool
	pieces := map[int]string{}
	for _, line := range res.sent["Set-Cookie"] {
		pair, attributes, _ := strings.Cut(line, "; ")
		name, value, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, site.name)
		i := slices.Index([]string{"", ".1", ".2", ".3", ".4", ".5", ".6", ".7", ".t"}, rest)
		if !ours || i < 0 {
			return c, w.violation(f, "only our cookies are set", "one named %q", name)
		}
		c.any = true
		if site.partitioned && !strings.HasSuffix(attributes, "; Partitioned") {
			if value != "" || !strings.HasPrefix(attributes, "Max-Age=0; ") || twin[i] {
				return c, w.violation(f, "the twin outside of the partition is expired, and nothing else", "%s", name)
			}
			twin[i] = true
			continue
		}
		if seen[i] {
			return c, w.violation(f, "no cookie is set twice", "%s", name)
		}
		seen[i] = true
		if len(pair)-1 > maxPair {
			return c, w.violation(f, "a cookie has at most 4096 octets", "%s has %d", name, len(pair)-1)
		}
		age, problem := checkAttributes(site, attributes)
		if problem != "" {
			return c, w.violation(f, "every cookie is as strict as configured", "%s: %s", name, problem)
		}
		switch {
		case value == "":
			c.expired[i] = age == 0
		case i == 8:
			c.touch = value
		default:
			pieces[i] = value
			c.size += len(pair) + 2
			c.maxAge = max(age, 0)
		}
	}
	if site.partitioned && seen != twin {
		return c, w.violation(f, "every line has its twin", "set or expired %v, twins %v", seen, twin)
	}
	for i := range len(pieces) {
		if pieces[i] == "" {
			return c, w.violation(f, "pieces follow each other", "piece %d is missing of %v", i, slices.Sorted(maps.Keys(pieces)))
		}
		c.pieces = append(c.pieces, pieces[i])
	}
	return c, nil
}

// checkAttributes returns Max-Age, -1 if there is none, and what is wrong.
func checkAttributes(site *sitePlan, attributes string) (maxAge int64, problem string) {
	maxAge = -1
	rest := map[string]bool{}
	for a := range strings.SplitSeq(attributes, "; ") {
		if text, ok := strings.CutPrefix(a, "Max-Age="); ok {
			maxAge, _ = strconv.ParseInt(text, 10, 64)
			continue
		}
		rest[a] = true
	}
	same := map[http.SameSite]string{http.SameSiteLaxMode: "Lax", http.SameSiteStrictMode: "Strict", http.SameSiteNoneMode: "None"}[site.sameSite]
	want := map[string]bool{"Path=/": true, "HttpOnly": true, "Secure": true, "SameSite=" + same: true}
	if site.partitioned {
		want["Partitioned"] = true
	}
	if site.domain != "" {
		want["Domain="+site.domain] = true
	}
	if !maps.Equal(rest, want) {
		return maxAge, "its attributes are " + attributes
	}
	return maxAge, ""
}

// judgeOutcome compares what was written.
func (w *World) judgeOutcome(f *flight, v *visit, want verdict, set cookies) *Violation {
	in, site := f.in, f.site
	before := fields{}
	if want.w != nil {
		before = want.w.fields.project(in.plan.version)
	}
	b := gather(f.req.lines, w.plan.sites[site].name)
	if v.op.kind == opLogout || v.op.kind == opLogoutThenWrite {
		return w.judgeCleared(f, want, &b, set)
	}
	after := before.apply(&v.op, in.plan.version)
	renewed := v.op.kind == opLogin || v.op.kind == opRenew
	changed := renewed || !after.equal(&before) || w.rewrites(f, v, want)
	if changed && want.held && !renewed && want.sure || !changed {
		if len(set.pieces) > 0 {
			return w.violation(f, "nothing changed, nothing sent", "the page %s, and the session was written (held back: %v)", opNames[v.op.kind], want.held)
		}
		if changed {
			w.counts.Withheld++
		}
		return w.judgeTouch(f, v, want, set, false)
	}
	if v.seen.failed != nil {
		return w.judgeFailure(f, v, after, set)
	}
	if len(set.pieces) == 0 {
		if !want.sure && !renewed {
			return nil // a made-up cookie may look as if this instance lagged
		}
		return w.violation(f, "what changed is sent", "the page %s, and nothing was written", opNames[v.op.kind])
	}
	return w.judgeWritten(f, v, want, &b, set, after, renewed)
}

// rewrites says whether an op changes the session itself and not its data.
func (w *World) rewrites(f *flight, v *visit, want verdict) bool {
	switch v.op.kind {
	case opRemember:
		return (v.op.n%2 == 0) != (want.w != nil && want.w.persistent)
	case opLife:
		now, end := f.in.now(), int64(0)
		created := now
		if end = now + w.lifetime(f); want.w != nil {
			created, end = want.w.created, want.w.expires
		}
		return v.op.life <= w.plan.policy.Life && created+secs(v.op.life) != end
	}
	return false
}

func (w *World) lifetime(f *flight) int64 {
	return secs(w.plan.sites[f.site].versions[f.in.plan.version].Lifetime)
}

func (w *World) judgeCleared(f *flight, want verdict, b *brought, set cookies) *Violation {
	for i := range 8 {
		if (b.has[i] || i == 0) && !set.expired[i] {
			return w.violation(f, "log-out leaves nothing", "cookie %d of the session is not expired", i)
		}
	}
	if len(set.pieces) > 0 {
		return w.violation(f, "log-out wins", "the session was written")
	}
	w.counts.Cleared++
	f.cleared = true
	if want.w != nil && w.plan.denies {
		want.w.session.denied = true
	}
	return nil
}

// judgeFailure holds that a session is refused for its size alone, and leaves no trace.
func (w *World) judgeFailure(f *flight, v *visit, after fields, set cookies) *Violation {
	if set.any {
		return w.violation(f, "a refused write writes nothing", "there are Set-Cookie lines")
	}
	var large *signet.TooLargeError
	budget := w.plan.sites[f.site].versions[f.in.plan.version].Cookie.Budget
	if errors.As(v.seen.failed, &large) {
		w.counts.TooLarge++
		if large.Limit != budget || large.Size <= large.Limit && large.Size < 24000 || len(after.pad) < budget/4 {
			return w.violation(f, "only what is too large is refused", "%v", v.seen.failed)
		}
		return nil
	}
	if f.in.file.sealer(f.in.now()) == nil {
		return nil
	}
	return w.violation(f, "what changed is sent", "%v", v.seen.failed)
}

// judgeWritten checks a write, and from now on the model knows it.
func (w *World) judgeWritten(f *flight, v *visit, want verdict, b *brought, set cookies, after fields, renewed bool) *Violation {
	t, problem := w.record(f, v, want, set, after, renewed)
	if problem != nil {
		return problem
	}
	site := &w.plan.sites[f.site]
	cfg := site.versions[f.in.plan.version]
	n := len(set.pieces)
	if set.size-2 > cfg.Cookie.Budget || n > 8 {
		return w.violation(f, "a write keeps the budget", "%d cookies of %d octets, budget %d", n, set.size-2, cfg.Cookie.Budget)
	}
	if n > 1 && t.pieces[0][0] != byte('0'+n) || n == 1 && t.pieces[0][0] <= '9' {
		return w.violation(f, "the first cookie names the count", "%d cookies", n)
	}
	for i := range 8 {
		if i < n && set.expired[i] {
			return w.violation(f, "what is set is not expired", "cookie %d", i)
		}
		if i >= n && b.has[i] && !set.expired[i] {
			return w.violation(f, "no stale piece stays", "the request carried cookie %d, and a write of %d does not expire it", i, n)
		}
	}
	age := int64(0)
	if t.persistent {
		age = min(max(t.ends-t.issued, 1), maxAgeLimit)
	}
	if set.maxAge != age {
		return w.violation(f, "remember-me is as asked", "Max-Age %d, want %d", set.maxAge, age)
	}
	w.counts.Written++
	return w.judgeTouch(f, v, want, set, true)
}

func (w *World) record(f *flight, v *visit, want verdict, set cookies, after fields, renewed bool) (*write, *Violation) {
	in, m := f.in, w.model
	now := in.now()
	t := &write{number: f.number, site: f.site, owner: f.browser, fields: after.merge(want.w, in.plan.version), issued: now, pieces: set.pieces, at: w.now}
	t.key = in.file.sealer(now)
	if t.key == nil || t.key.id != v.seen.sealedBy {
		return nil, w.violation(f, "the key that seals follows from the file and the clock", "sealed by %s", v.seen.sealedBy)
	}
	life := w.lifetime(f)
	if want.w != nil {
		t.session, t.created, t.ends, t.persistent = want.w.session, want.w.created, want.w.expires, want.w.persistent
		life = max(t.ends-t.created, 1)
	}
	if want.w == nil || renewed {
		t.session, t.created, t.ends = m.newSession(), now, now+life
	}
	switch v.op.kind {
	case opRemember:
		t.persistent = v.op.n%2 == 0
	case opLife:
		if v.op.life <= w.plan.policy.Life {
			t.ends = t.created + secs(v.op.life)
		}
	}
	if t.expires = t.ends; t.key.until != 0 {
		t.expires = min(t.expires, t.key.until)
	}
	if v.seen.idAfter != "" && t.session.id != v.seen.idAfter {
		if t.session.id != "" {
			return nil, w.violation(f, "an id stays until Renew", "session %d", t.session.number)
		}
		if err := w.learn(f, v.seen.idAfter, t.session); err != nil {
			return nil, err
		}
	}
	if forget == nil || !forget(t) {
		m.heads[t.pieces[0]] = t
	}
	m.writes = append(m.writes, t)
	f.wrote = t
	return t, nil
}

// judgeTouch checks the idle clock.
func (w *World) judgeTouch(f *flight, v *visit, want verdict, set cookies, written bool) *Violation {
	in := f.in
	idle := secs(w.plan.sites[f.site].versions[in.plan.version].IdleTimeout)
	now := in.now()
	t := want.w
	if written {
		t = f.wrote
	}
	due := idle > 0 && t != nil && (written || want.touched == 0 || now >= want.touched+idle/10)
	if due != (set.touch != "") {
		if v.seen.failed != nil {
			return nil
		}
		return w.violation(f, "the idle clock is written once in a tenth", "due: %v, written: %v", due, set.touch != "")
	}
	if !due {
		return nil
	}
	f.touches = t.session
	p := w.plan.policy
	key := in.file.sealer(now)
	end := now + min(w.model.idleAllowance(f.site, in.plan.version), secs(p.Life))
	if key.until != 0 {
		end = min(end, key.until)
	}
	w.model.touches[set.touch] = &touch{site: f.site, session: t.session, key: key, issued: now, expires: end}
	w.model.allTouch = append(w.model.allTouch, set.touch)
	return nil
}

// judgeCaching holds that no shared cache may keep the response.
func (w *World) judgeCaching(f *flight, v *visit, res *response, set cookies) *Violation {
	if v.seen.failed != nil {
		return nil
	}
	control := strings.Join(res.sent["Cache-Control"], ", ")
	if set.any && (!strings.HasPrefix(control, `private, no-cache="Set-Cookie"`) || strings.Contains(control, "public")) {
		return w.violation(f, "no shared cache keeps a session cookie", "Cache-Control: %s", control)
	}
	if v.op.kind != opLate && !slices.Contains(res.sent["Vary"], "Cookie") {
		return w.violation(f, "a page that read the session varies by Cookie", "Vary: %v", res.sent["Vary"])
	}
	return nil
}
