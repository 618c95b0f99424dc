package signet

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says how sessions are kept. The zero value is the strictest and is complete.
type Config struct {
	// Cookie names the cookies and their attributes.
	Cookie Cookie
	// Previous are cookies under which sessions still open. Such a session moves to Cookie when it
	// is first used, and the previous cookie is expired.
	Previous []Cookie
	// Format is what is sealed; every format opens.
	Format Format
	// Lifetime is how long a session lives from its beginning or its Renew, whatever happens in between;
	// zero is 24 hours, or the Life of the ring's policy if that is less. At most 400 days.
	Lifetime time.Duration
	// IdleTimeout ends a session that is not used for so long, give or take a tenth of it and the
	// policy's skew. Zero is never. The idle clock is a small cookie of its own, NAME.t.
	IdleTimeout time.Duration
	// Tenant separates Managers that share a ring and a cookie name: a session of one
	// never opens at another. At most 256 bytes.
	Tenant string
	// Legacy are formats of other frameworks that are taken over, tried in this order and
	// only where the request has no session of ours that opens.
	Legacy []Legacy
	// Validate sees every session that opened and can refuse it.
	Validate Validator
	// Observer is told what happens, for metrics; nil is nobody.
	Observer Observer
	// Logger gets warnings; nil is slog.Default.
	Logger *slog.Logger
	// ErrorHandler answers a request whose session could not be written, almost always a
	// *TooLargeError. Nil answers 500 and logs. The handler's own answer is not sent.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
	// DangerouslyAllowSharedCaching leaves a Cache-Control with public or s-maxage alone on
	// responses that set a session cookie. A shared cache then gives one visitor's session to another.
	DangerouslyAllowSharedCaching bool
}

// Policy is the zero Policy but for the Life that sessions of this Config need. Write it into a
// new key file, and the two cannot disagree:
//
//	ring, err = ring.WithPolicy(cfg.Policy())
func (c Config) Policy() Policy {
	if c.Lifetime <= 0 {
		return Policy{}
	}
	return Policy{Life: time.Duration(wholeSeconds(c.Lifetime)) * time.Second}
}

// Manager keeps sessions whose data is a T: a struct, or a map with string keys. Make
// one with [New]. All its methods are safe for concurrent use.
type Manager[T any] struct {
	keys     *Keyring
	cfg      Config
	codec    *codec[T]
	cookie   *cookie
	previous []*cookie
	purposes []purpose // of sessions in cookie, then in each of previous
	touch    purpose
	warned   sync.Map // of what was said once: string → struct{}
}

// New makes a Manager. It returns all of a configuration's problems, joined: a T that
// is no JSON object, a cookie that browsers would refuse, a lifetime above the ring's policy.
func New[T any](keys *Keyring, cfg Config) (*Manager[T], error) {
	if keys == nil {
		return nil, errors.New("signet: New needs a Keyring; make it with ParseKeyring or NewKeyring")
	}
	m := &Manager[T]{keys: keys, cfg: cfg}
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	var err error
	m.codec, err = newCodec[T]()
	keep(err)
	m.cookie, err = cfg.Cookie.build()
	keep(err)
	m.purposes = []purpose{{kindSession, m.cookie.name, cfg.Tenant}}
	m.touch = purpose{kindTouch, m.cookie.name, cfg.Tenant}
	for i, p := range cfg.Previous {
		built, err := p.build()
		if err != nil {
			keep(fmt.Errorf("signet: Config.Previous[%d]: %w", i, err))
		}
		if built.name == m.cookie.name {
			keep(fmt.Errorf("signet: Config.Previous[%d] has the name of Config.Cookie, %q; it opens anyway", i, built.name))
		}
		m.previous = append(m.previous, built)
		m.purposes = append(m.purposes, purpose{kindSession, built.name, cfg.Tenant})
	}
	keep(m.checkTimes())
	keep(m.checkHooks())
	if cfg.Format > JWEKeyWrap {
		keep(fmt.Errorf("signet: unknown Config.Format %v", cfg.Format))
	}
	if len(cfg.Tenant) > maxPurpose {
		keep(fmt.Errorf("signet: Config.Tenant has %d bytes, over the limit of %d", len(cfg.Tenant), maxPurpose))
	}
	if fipsOnly() && (cfg.Format == Compact || cfg.IdleTimeout > 0) && keys.sealsChaCha() { // the idle clock is always compact
		keep(errChaChaFIPS)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

func (r *Keyring) sealsChaCha() bool {
	g, err := r.state()
	if err != nil {
		return false
	}
	k := g.sealer(r.now().Unix())
	return k != nil && k.alg == chaCha20Poly1305
}

func (m *Manager[T]) checkTimes() error {
	g, err := m.keys.state()
	if err != nil {
		return err
	}
	c := &m.cfg
	if c.Lifetime == 0 {
		c.Lifetime = min(24*time.Hour, g.policy.life())
	}
	switch {
	case c.Lifetime < time.Second:
		return fmt.Errorf("signet: Config.Lifetime %v is under a second", c.Lifetime)
	case c.Lifetime > maxAge:
		return fmt.Errorf("signet: Config.Lifetime %v is above 400 days, which no browser keeps a cookie", c.Lifetime)
	case c.IdleTimeout < 0 || c.IdleTimeout > 0 && c.IdleTimeout < 10*time.Second:
		return fmt.Errorf("signet: Config.IdleTimeout %v is under 10 seconds; zero is never", c.IdleTimeout)
	case c.IdleTimeout > c.Lifetime:
		return fmt.Errorf("signet: Config.IdleTimeout %v is above Config.Lifetime %v and would never pass; leave it zero", c.IdleTimeout, c.Lifetime)
	}
	if err := g.policy.allows(c.Lifetime); err != nil {
		return fmt.Errorf("signet: Config.Lifetime: %w", err)
	}
	if c.Format == JWE {
		return g.policy.withinBudget()
	}
	return nil
}

func (m *Manager[T]) checkHooks() error {
	want := fmt.Sprintf("%T", *new(T))
	var errs []error
	for i, l := range m.cfg.Legacy {
		switch {
		case l.format == nil || l.convert == nil:
			errs = append(errs, fmt.Errorf("signet: Config.Legacy[%d] is empty; make it with signet.Migrate", i))
		case l.target != want:
			errs = append(errs, fmt.Errorf("signet: Config.Legacy[%d] converts to %s, but the sessions are %s", i, l.target, want))
		}
	}
	if v := m.cfg.Validate; v.check != nil && v.target != want {
		errs = append(errs, fmt.Errorf("signet: Config.Validate is for sessions of %s, but these are %s", v.target, want))
	}
	return errors.Join(errs...)
}

// Session is one visitor's session during one request. It belongs to that request and, like
// the request itself, is not safe for concurrent use; what goroutines share of it, copy.
type Session[T any] struct {
	// Data is the application's. Change it in any way and at any depth: what differs
	// when the response begins is written, and nothing else is.
	Data T

	m        *Manager[T]
	head     sessionHead
	hasHead  bool // head is drawn or opened
	issued   int64
	expires  int64
	lifetime time.Duration // of a renewed session
	raw      []byte        // the data as sealed; nil if nothing was opened
	exact    bool          // raw is what the codec writes of it, so other bytes are a change
	last     []byte        // the data when it was last saved or found unchanged
	err      error
	isNew    bool

	renewed, destroyed, rewrite bool
	late                        bool  // one of these was asked for after the save
	withheld                    error // why implicit saves are

	carried carried // which of the current cookies the browser holds; their values are credentials and not kept here
	old     []carried
	foreign []*http.Cookie // those of another framework, as they are expired
	touched int64          // when the idle clock was last written; 0 if not
	done    bool           // the response has begun
}

// IsNew reports whether the request brought no session that counts.
func (s *Session[T]) IsNew() bool { return s.isNew }

// Err is why a session that the request did bring does not count, or nil: one of this
// package's errors, or that of the Validate hook. It is for logs, never for the visitor.
func (s *Session[T]) Err() error { return s.err }

// ID is the session's id, 22 characters: what logs and deny lists use. It stays
// the same until Renew.
func (s *Session[T]) ID() string {
	s.draw()
	return base64.RawURLEncoding.EncodeToString(s.head.id[:])
}

// Created is when the session began, or was last renewed.
func (s *Session[T]) Created() time.Time {
	s.draw()
	return unixTime(s.head.created)
}

// Expires is when the session ends, whatever happens before.
func (s *Session[T]) Expires() time.Time {
	s.draw()
	return unixTime(s.expires)
}

// Persistent reports whether the session outlives the browser.
func (s *Session[T]) Persistent() bool { return s.head.persistent }

// draw begins a session that has no id yet.
func (s *Session[T]) draw() {
	if s.hasHead {
		return
	}
	s.hasHead = true
	rand.Read(s.head.id[:])
	s.head.created = s.m.keys.now().Unix()
	s.expires = s.head.created + wholeSeconds(s.lifetime)
}

// Renew gives the session a new id and a new life of the same length, and keeps its data. Call it at
// every login and change of rights, so that nobody can fix a session beforehand. The
// session is written even if nothing else changed.
func (s *Session[T]) Renew() {
	s.late = s.late || s.done
	s.hasHead, s.renewed = false, true
	s.draw()
}

// Destroy ends the session: its cookies are expired and its data is emptied, and later
// changes in this request are not written. It clears the browser, not a copy that
// somebody made; for that refuse the ID in a Validate hook.
func (s *Session[T]) Destroy() {
	s.late = s.late || s.done
	s.destroyed = true
	s.Data = s.m.codec.zero()
}

// SetPersistent is "remember me": true keeps the cookies until the session expires, false
// until the browser ends. The session is written if that is a change.
func (s *Session[T]) SetPersistent(persistent bool) {
	if s.head.persistent != persistent {
		s.late = s.late || s.done
		s.head.persistent, s.rewrite = persistent, true
	}
}

// SetLifetime gives this session another life than Config.Lifetime, counted from Created. It returns an
// error, and changes nothing, if that is under a second, above 400 days or above the Life of the ring's policy.
func (s *Session[T]) SetLifetime(d time.Duration) error {
	if d < time.Second || d > maxAge {
		return fmt.Errorf("signet: a lifetime of %v is outside one second to 400 days", d)
	}
	g, err := s.m.keys.state()
	if err != nil {
		return err
	}
	if err := g.policy.allows(d); err != nil {
		return err
	}
	s.draw()
	if end := s.head.created + wholeSeconds(d); end != s.expires {
		s.late = s.late || s.done
		s.expires, s.lifetime, s.rewrite = end, d, true
	}
	return nil
}

// Format prints the id alone, for every verb: the data may hold anything.
func (s *Session[T]) Format(f fmt.State, _ rune) {
	id := "none"
	if s != nil && s.hasHead {
		id = base64.RawURLEncoding.EncodeToString(s.head.id[:])
	}
	fmt.Fprintf(f, "signet.Session(%s)", id)
}

// LogValue is the id alone.
func (s *Session[T]) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// MarshalJSON writes the id alone; encode Data for the data.
func (s *Session[T]) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(s)) }

// Load opens the session that a request brings. It never fails: if there is none, or none
// that counts, it is a new one, and Err says why. Loading alone changes nothing.
func (m *Manager[T]) Load(r *http.Request) *Session[T] {
	s := &Session[T]{m: m, isNew: true, lifetime: m.cfg.Lifetime}
	s.load(r)
	if s.isNew {
		s.Data = m.codec.zero()
		if s.err != nil {
			m.observe(r.Context(), Event{Kind: "failed", Err: s.err})
		}
	}
	s.last = s.raw
	return s
}

func (s *Session[T]) load(r *http.Request) {
	m := s.m
	fields := r.Header["Cookie"]
	var in received
	m.cookie.read(fields, &in)
	s.carried = in.carried
	for _, c := range m.previous {
		var in received
		c.read(fields, &in)
		s.old = append(s.old, in.carried)
	}
	o, err := m.openCookie(&in, m.purposes[0])
	for i := 0; errors.Is(err, http.ErrNoCookie) && i < len(m.previous); i++ {
		var in received
		m.previous[i].read(fields, &in)
		if o, err = m.openCookie(&in, m.purposes[i+1]); err == nil {
			s.rewrite = true
		}
	}
	if err == nil {
		err = s.adopt(r, &in, o)
	} else if m.openLegacy(s, r, &in, err) {
		s.withheld = m.withholds(r, &in, http.ErrNoCookie)
		return
	}
	if err == nil {
		return
	}
	if !errors.Is(err, http.ErrNoCookie) {
		s.err = err
	} else if errors.Is(s.err, ErrClockSkew) {
		err = ErrClockSkew // of another framework: its session opens in a moment, if nothing hides it
	}
	s.withheld = m.withholds(r, &in, err)
}

// adopt makes s the session of an opened token, if nothing speaks against it.
func (s *Session[T]) adopt(r *http.Request, in *received, o opened) error {
	m := s.m
	exact, err := m.codec.decode(o.data, &s.Data)
	if err != nil {
		return m.unreadable(o)
	}
	s.touched, err = m.lastTouch(in, o)
	if err != nil {
		return err
	}
	s.raw, s.exact, s.isNew = o.data, exact, false
	s.head, s.hasHead, s.issued, s.expires = *o.session, true, o.issued, o.expires
	s.lifetime = time.Duration(max(o.expires-s.head.created, 1)) * time.Second
	if err := s.validate(r); err != nil {
		return err
	}
	if m.cfg.Observer != nil { // the id's text would be made for nobody
		m.observe(r.Context(), Event{Kind: "opened", KeyID: o.key.id.String(), Format: o.format})
	}
	return nil
}

// unreadable says that a good session does not decode as a T: another version of the program
// wrote it. While that version may still be rolling out, which is as long as a ring may take to
// reach every instance, this one must not overwrite what the other wrote.
func (m *Manager[T]) unreadable(o opened) error {
	g, err := m.keys.state()
	if err != nil {
		return err
	}
	recent := o.issued >= m.keys.now().Unix()-seconds(g.policy.propagation())-seconds(g.policy.skew())
	return &unreadableError{target: fmt.Sprintf("%T", *new(T)), recent: recent}
}

type unreadableError struct {
	target string
	recent bool
}

func (e *unreadableError) Error() string {
	return "signet: the session's data does not decode as " + e.target + "; keep the JSON types of its fields, or give a changed one a new name"
}

func (e *unreadableError) Unwrap() error { return ErrInvalid }

// validate asks the application. A session that it refuses leaves nothing behind.
func (s *Session[T]) validate(r *http.Request) error {
	if s.m.cfg.Validate.check == nil {
		return nil
	}
	err := s.m.cfg.Validate.check(r, s)
	if err != nil {
		*s = Session[T]{m: s.m, isNew: true, lifetime: s.m.cfg.Lifetime, carried: s.carried, old: s.old, foreign: s.foreign}
	}
	return err
}

// openCookie opens what a request brought under one name: at most four tokens. Two of one
// session are two of its writes, and the newest counts; two of different sessions
// are a sibling domain's doing, or its victim's, and neither does.
func (m *Manager[T]) openCookie(in *received, p purpose) (best opened, err error) {
	if len(in.heads) == 0 {
		if in.carried&^(1<<touchIndex|1) != 0 {
			return opened{}, ErrTorn // pieces without their head
		}
		return opened{}, http.ErrNoCookie
	}
	found := false
	var room []byte // of a token that did not open, for the next: a fifth of four forgeries' cost
	for _, head := range in.heads {
		token, failed := in.token(head)
		var o opened
		if failed == nil {
			if len(in.heads) > 1 && cap(room) < len(token) {
				room = make([]byte, 0, len(token))
			}
			if o, failed = m.keys.open(p, token, room); failed == nil {
				room = nil // o is in it
			}
		}
		switch {
		case failed != nil:
			err = worse(err, failed)
		case !found:
			best, found = o, true
		case o.session.id != best.session.id:
			return opened{}, ErrAmbiguous
		case o.issued > best.issued:
			best = o
		}
	}
	if found {
		return best, nil
	}
	return opened{}, err
}

// worse keeps the failure that asks for most care: a session that may be good must not be
// overwritten because a forged one came with it.
func worse(a, b error) error {
	for _, err := range []error{ErrUnknownKey, ErrClockSkew, ErrTorn, ErrRevoked, ErrExpired} {
		if a == err || b == err {
			return err
		}
	}
	return b
}

// withholds says why what a request changes by the way must not be written: this instance may lag
// behind others, and would overwrite a good session with an empty one (an unknown key or
// a future time, within the policy's propagation and skew), or the browser kept the
// cookie back because another site sent the request. Renew and Destroy are written all the same.
func (m *Manager[T]) withholds(r *http.Request, in *received, err error) error {
	if other, ok := err.(*unreadableError); ok && other.recent {
		return err
	}
	switch err {
	case ErrClockSkew:
		return err
	case ErrUnknownKey:
		g, stateErr := m.keys.state()
		if stateErr != nil {
			return err
		}
		bound := m.keys.now().Unix() - seconds(g.policy.propagation()) - seconds(g.policy.skew())
		for _, head := range in.heads {
			if token, failed := in.token(head); failed == nil && mayBeNew(token, bound) {
				return err
			}
		}
		for _, touch := range in.touches {
			if mayBeNew(touch, bound) {
				return err
			}
		}
		return nil
	}
	if in.carried == 0 && !safeMethod(r.Method) && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return errCrossSite
	}
	return nil
}

var errCrossSite = errors.New("signet: another site sent this request, so the browser kept a Lax cookie back; see the README on form_post")

func safeMethod(method string) bool {
	return method == "" || method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions || method == http.MethodTrace
}

// openLegacy takes over a session of another framework, where the request brought none of ours that
// counts; err is why. Ours may be good for another instance: then only a foreign one that came
// under its very name shows that it is not.
func (m *Manager[T]) openLegacy(s *Session[T], r *http.Request, in *received, err error) bool {
	if len(m.cfg.Legacy) == 0 {
		return false
	}
	mayBeGood := err == ErrAmbiguous || (err == ErrUnknownKey || err == ErrClockSkew) && m.withholds(r, in, err) != nil
	cookies := r.Cookies()
	for _, l := range m.cfg.Legacy {
		f, err := l.format.Open(cookies, m.keys.now())
		if err == nil && mayBeGood && !slices.ContainsFunc(f.Cookies, m.named) {
			continue
		}
		if err == nil {
			err = s.takeOver(r, l, f)
		}
		if err == nil {
			return true
		}
		if !errors.Is(err, http.ErrNoCookie) && s.err == nil {
			s.err = err
		}
	}
	return false
}

// named reports whether a foreign cookie has one of our names.
func (m *Manager[T]) named(f *http.Cookie) bool {
	_, _, ours := m.cookie.index(f.Name + "=")
	return ours
}

// replaces reports whether a browser would take our cookie of that name for the foreign one.
func (m *Manager[T]) replaces(f *http.Cookie) bool {
	ours := m.cfg.Cookie
	return m.named(f) && cmp.Or(f.Path, "/") == cmp.Or(ours.Path, "/") && f.Partitioned == ours.Partitioned &&
		strings.EqualFold(strings.TrimPrefix(f.Domain, "."), ours.Domain)
}

// expireLater keeps the cookies of another framework as they are to be expired, without their values.
func (s *Session[T]) expireLater(f *Foreign) {
	for _, c := range f.Cookies {
		gone := *c
		gone.Value, gone.Raw, gone.MaxAge, gone.Expires = "", "", -1, time.Time{}
		s.foreign = append(s.foreign, &gone)
	}
}

func (s *Session[T]) takeOver(r *http.Request, l Legacy, f *Foreign) error {
	converted, err := l.convert(f)
	if err != nil {
		return err
	}
	s.Data, s.isNew, s.rewrite = *converted.(*T), false, true
	s.expireLater(f)
	s.draw()
	now := s.head.created
	if !f.Issued.IsZero() && f.Issued.Unix() < now {
		s.head.created = max(f.Issued.Unix(), 0)
	}
	if !f.Expires.IsZero() {
		s.expires = min(s.expires, f.Expires.Unix())
	}
	if err := s.validate(r); err != nil {
		s.foreign = nil // the other framework may think otherwise
		return err
	}
	s.err = nil
	s.m.observe(r.Context(), Event{Kind: "migrated", KeyID: fmt.Sprint(f.KeyIndex)})
	return nil
}

// Save writes the session's cookies into the response header if something changed, as
// Handler does by itself. Call it before the response begins. With a
// [*TooLargeError] nothing was written.
func (m *Manager[T]) Save(w http.ResponseWriter, r *http.Request, s *Session[T]) error {
	if s == nil || s.m != m {
		return errors.New("signet: Save of a Session that is not of this Manager")
	}
	if s.done {
		return errors.New("signet: Save after the response has begun; its header is already sent")
	}
	return m.save(w.Header(), r, s)
}

func (m *Manager[T]) save(h http.Header, r *http.Request, s *Session[T]) error {
	lines, err := m.lines(r, s)
	if err != nil {
		kind := "unsaved"
		if errors.Is(err, ErrTooLarge) {
			kind = "too-large"
		}
		m.observe(r.Context(), Event{Kind: kind, Err: err, Path: pathOf(r)})
		return err
	}
	addVary(h)
	if lines == nil {
		if h.Get("Cache-Control") == "" {
			h.Set("Cache-Control", "private")
		}
		return nil
	}
	h["Set-Cookie"] = replaceLines(h["Set-Cookie"], lines)
	m.keepPrivate(h, r)
	m.warnLarge(h, r)
	m.warnPlain(r)
	return nil
}

// lines decides whether the session is written, and returns the Set-Cookie lines.
func (m *Manager[T]) lines(r *http.Request, s *Session[T]) ([]string, error) {
	if s.destroyed {
		return m.clearLines(r, s), nil
	}
	room := buffers.Get().(*[]byte)
	defer buffers.Put(room)
	body, err := m.codec.encode((*room)[:0], &s.Data)
	if err != nil {
		return nil, fmt.Errorf("signet: encoding the session: %w", err)
	}
	*room = body
	changed := s.rewrite || s.renewed || !m.unchanged(s, body)
	kept := s.kept(body)
	if changed && s.withheld != nil && !s.renewed {
		m.observe(r.Context(), Event{Kind: "withheld", Err: s.withheld, Path: pathOf(r)})
		s.last = kept
		return nil, nil
	}
	now := m.keys.now().Unix()
	if !changed {
		s.last = kept
		if s.raw == nil {
			return nil, nil
		}
		return m.touchLines(nil, s, now, false)
	}
	sealed := kept
	if !s.exact {
		sealed = m.codec.carryOver(kept, s.raw)
	}
	lines, err := m.sealLines(r, s, sealed, now)
	if err != nil {
		return nil, err
	}
	s.last, s.renewed, s.rewrite = kept, false, false
	return m.touchLines(lines, s, now, true)
}

// kept is body, which is only lent, in memory that lasts.
func (s *Session[T]) kept(body []byte) []byte {
	if bytes.Equal(body, s.raw) {
		return s.raw
	}
	return bytes.Clone(body)
}

func (m *Manager[T]) unchanged(s *Session[T], body []byte) bool {
	if s.raw == nil {
		return bytes.Equal(body, m.codec.empty)
	}
	return bytes.Equal(body, s.raw) || !s.exact && m.codec.same(body, s.raw)
}

// sealLines seals body and returns the lines that set it and expire what it replaces.
func (m *Manager[T]) sealLines(r *http.Request, s *Session[T], body []byte, now int64) ([]string, error) {
	s.draw()
	g, _, err := m.keys.current()
	if err != nil {
		return nil, err
	}
	p := m.purposes[0]
	c := content{expires: s.expires, session: &s.head, data: body}
	if n := tokenLen(m.cfg.Format, p, c); n > maxToken {
		return nil, m.tooLarge(n, body)
	}
	scratch := getScratch()
	defer scratch.put()
	token, by, err := m.keys.seal(scratch, g, m.cfg.Format, p, c, now)
	if err != nil {
		return nil, err
	}
	n := m.cookie.chunks(len(token))
	if m.cookie.wireSize(len(token)) > m.cookie.budget || n == 0 {
		return nil, m.tooLarge(len(token), body)
	}
	if by.clamped {
		m.observe(r.Context(), Event{Kind: "clamped", KeyID: by.key.id.String()})
	}
	lines, set := m.cookie.set(nil, token, s.maxAge(now))
	stale := s.carried &^ set &^ (1 << touchIndex)
	lines = m.cookie.expireTwins(m.cookie.expire(lines, stale), stale|set)
	lines = m.expireOld(lines, s)
	// The browser holds these from now on; a second save in this request replaces them.
	s.carried |= set
	s.raw, s.issued = body, now
	if m.cfg.Observer != nil {
		m.observe(r.Context(), Event{Kind: "sealed", KeyID: by.key.id.String(), Format: m.cfg.Format, Bytes: m.cookie.wireSize(len(token)), Chunks: n})
	}
	return lines, nil
}

func (m *Manager[T]) tooLarge(tokenLen int, body []byte) error {
	return &TooLargeError{Size: m.cookie.wireSize(tokenLen), Limit: m.cookie.budget, Fields: largest(body)}
}

// maxAge is that of the cookies, which follows the sealed end; 0 is until the browser ends.
func (s *Session[T]) maxAge(now int64) int64 {
	if !s.head.persistent {
		return 0
	}
	return min(max(s.expires-now, 1), seconds(maxAge))
}

// expireOld deletes the cookies that the session came in, where they are not the current ones.
func (m *Manager[T]) expireOld(lines []string, s *Session[T]) []string {
	for i, c := range m.previous {
		if i < len(s.old) {
			lines = c.expireTwins(c.expire(lines, s.old[i]), s.old[i])
		}
	}
	for _, gone := range s.foreign {
		if m.replaces(gone) {
			continue // or it would expire what was just set
		}
		if line := gone.String(); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// clearLines expires everything that the browser may hold of the session. That is its
// first cookie even where the request brought none: another site's log-out request
// carries no Lax cookie, and without the first the others mean nothing.
func (m *Manager[T]) clearLines(r *http.Request, s *Session[T]) []string {
	gone := s.carried | 1
	if m.cfg.IdleTimeout > 0 {
		gone |= 1 << touchIndex
	}
	lines := m.cookie.expireTwins(m.cookie.expire(nil, gone), gone)
	for _, l := range m.cfg.Legacy {
		// Those that would open, though ours went first: or the next request would log in again.
		if f, err := l.format.Open(r.Cookies(), m.keys.now()); err == nil {
			s.expireLater(f)
		}
	}
	lines = m.expireOld(lines, s)
	m.observe(r.Context(), Event{Kind: "cleared"})
	return lines
}

func (m *Manager[T]) observe(ctx context.Context, e Event) {
	if m.cfg.Observer != nil {
		m.cfg.Observer.Observe(ctx, e)
	}
}

func (m *Manager[T]) logger() *slog.Logger {
	if m.cfg.Logger != nil {
		return m.cfg.Logger
	}
	return slog.Default()
}

// warnOnce logs what would be true of every request, once.
func (m *Manager[T]) warnOnce(ctx context.Context, message string, args ...any) {
	if _, said := m.warned.LoadOrStore(message, struct{}{}); !said {
		m.logger().WarnContext(ctx, message, args...)
	}
}

func pathOf(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	return r.URL.Path
}

// Format prints the name of the cookie alone.
func (m *Manager[T]) Format(f fmt.State, _ rune) {
	name := ""
	if m != nil && m.cookie != nil {
		name = m.cookie.name
	}
	fmt.Fprintf(f, "signet.Manager(%s)", name)
}

// LogValue is the name of the cookie alone.
func (m *Manager[T]) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(m)) }

// MarshalJSON writes the name of the cookie alone.
func (m *Manager[T]) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(m)) }
