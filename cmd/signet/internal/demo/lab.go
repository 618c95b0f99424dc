package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/cmd/signet/internal/explain"
)

// What the laboratory remembers is bounded: a stranger makes it forget, never grow.
const (
	maxVisits   = 64
	maxEvents   = 24         // shown for each visit
	maxIDs      = 16         // that logged out, for each visit
	maxJar      = 32 << 10   // bytes of cookies that are kept for one button
	maxBody     = 64 << 10   // bytes of a form
	visitCookie = "demo-lab" // tells visits apart; holds nothing and proves nothing
)

// lab is the laboratory: what it saw and keeps of each visit, and the ring.
type lab struct {
	keys   *signet.Keyring
	source string // where the ring came from, in words
	pages  *template.Template
	https  bool

	mu     sync.Mutex
	visits map[string]*visit
	order  []string // ids, the one that was longest not here first
}

// visit is what the laboratory knows of one browser. It is guarded by lab.mu.
type visit struct {
	events     []event
	totals     map[string]int // by what an event was, and why
	experiment experiment     // what was just done
	last       experiment     // what was done before that
	good       jar            // the cookies before they were damaged
	stolen     jar            // the cookies before log-out
	loggedOut  []string       // ids of sessions
	refuse     bool           // whether the Validate hook knows them
}

// event is one signet.Event, with the request that it belongs to.
type event struct {
	At      time.Time
	Request string
	Kind    string
	Reason  string
	Detail  string
}

func newLab(keys *signet.Keyring, source string, https bool) *lab {
	return &lab{keys: keys, source: source, https: https, pages: templates(), visits: map[string]*visit{}}
}

// seeing is a request, for what is told of it while it runs.
type seeing struct {
	visit   *visit
	request string
	quiet   bool // the laboratory's own look at the session
}

type seeingKey struct{}

func seen(ctx context.Context) *seeing {
	s, _ := ctx.Value(seeingKey{}).(*seeing)
	return s
}

// Handler finds out whose request this is.
func (l *lab) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		s := &seeing{visit: l.visitOf(w, r), request: r.Method + " " + r.URL.Path, quiet: r.URL.Path == "/lab"}
		if r.Method == http.MethodPost {
			l.forgetExperiment(s.visit) // what is said of it is over once something else happens
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), seeingKey{}, s)))
	})
}

func (l *lab) forgetExperiment(v *visit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.last, v.experiment = v.experiment, experiment{}
}

func (l *lab) visitOf(w http.ResponseWriter, r *http.Request) *visit {
	id := ""
	if c, err := r.Cookie(visitCookie); err == nil {
		id = c.Value
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.visits[id]; ok {
		at := slices.Index(l.order, id)
		l.order = append(slices.Delete(l.order, at, at+1), id)
		return v
	}
	if len(l.order) == maxVisits {
		delete(l.visits, l.order[0])
		l.order = slices.Delete(l.order, 0, 1)
	}
	var random [16]byte
	rand.Read(random[:])
	id = base64.RawURLEncoding.EncodeToString(random[:])
	v := &visit{totals: map[string]int{}}
	l.visits[id], l.order = v, append(l.order, id)
	// Not Secure over plain HTTP: it must come back where a Secure cookie does not.
	http.SetCookie(w, &http.Cookie{Name: visitCookie, Value: id, Path: "/", HttpOnly: true, Secure: l.https, SameSite: http.SameSiteLaxMode})
	return v
}

// Observe is told by signet what happens, as an application's metrics would be.
func (l *lab) Observe(ctx context.Context, e signet.Event) {
	s := seen(ctx)
	if s == nil || s.quiet {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	shown := event{At: time.Now(), Request: s.request, Kind: e.Kind, Reason: reason(e.Err), Detail: detail(e)}
	if n := len(s.visit.events); n == maxEvents {
		s.visit.events = slices.Delete(s.visit.events, 0, 1)
	}
	s.visit.events = append(s.visit.events, shown)
	name := shown.Kind
	if shown.Reason != "" {
		name += ": " + shown.Reason
	}
	s.visit.totals[name]++
}

// reasons are the few that an Err can be, so that totals stay few.
var reasons = []struct {
	err  error
	name string
}{
	{signet.ErrInvalid, "invalid"}, {signet.ErrTorn, "torn"}, {signet.ErrUnknownKey, "unknown key"}, {signet.ErrExpired, "expired"},
	{signet.ErrClockSkew, "clock skew"}, {signet.ErrAmbiguous, "ambiguous"}, {signet.ErrRevoked, "revoked key"},
	{signet.ErrTooLarge, "too large"}, {errLoggedOut, "refused by Validate"},
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return "other"
}

func detail(e signet.Event) string {
	switch {
	case e.Kind == "sealed":
		return fmt.Sprintf("%d bytes in %d cookies, key %s", e.Bytes, e.Chunks, e.KeyID)
	case e.Kind == "large-response":
		return fmt.Sprintf("%d bytes of response header: a stock nginx would answer 502", e.Bytes)
	case e.KeyID != "":
		return "key " + e.KeyID
	case e.Err != nil:
		return strings.TrimPrefix(e.Err.Error(), "signet: ")
	}
	return ""
}

var errLoggedOut = errors.New("demo: this session has logged out")

// validate is the Validate hook. An application would ask the deny list that all its
// instances share; that is the one thing a stateless log-out needs a store for.
func (l *lab) validate(r *http.Request, s *signet.Session[Visitor]) error {
	here := seen(r.Context())
	if here == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if here.visit.refuse && slices.Contains(here.visit.loggedOut, s.ID()) {
		return errLoggedOut
	}
	return nil
}

// jar is a set of cookies as a browser held them.
type jar struct {
	cookies []explain.Cookie
	maxAge  int // of all of them; 0 is until the browser ends
}

// jarOf is what a request brought of the session.
func jarOf(r *http.Request, s *signet.Session[Visitor]) jar {
	j := jar{cookies: cookiesOf(r)}
	size := 0
	for _, c := range j.cookies {
		size += c.Size()
	}
	if size > maxJar {
		return jar{}
	}
	if s.Persistent() {
		j.maxAge = max(int(time.Until(s.Expires()).Seconds()), 1)
	}
	return j
}

// cookiesOf are the session's cookies in a request, in order.
func cookiesOf(r *http.Request) []explain.Cookie {
	var ours []explain.Cookie
	for _, c := range r.Cookies() {
		if c.Name == cookieName || len(c.Name) == len(cookieName)+2 && c.Name[:len(cookieName)+1] == cookieName+"." {
			ours = append(ours, explain.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	slices.SortStableFunc(ours, func(a, b explain.Cookie) int { return len(a.Name) - len(b.Name) })
	return ours
}

// keepForReplay plays the thief who copied the cookies before their owner logs out.
func (l *lab) keepForReplay(r *http.Request, s *signet.Session[Visitor]) {
	here := seen(r.Context())
	if s.IsNew() || here == nil {
		return
	}
	stolen := jarOf(r, s)
	l.mu.Lock()
	defer l.mu.Unlock()
	v := here.visit
	v.stolen, v.good = stolen, jar{}
	if len(v.loggedOut) == maxIDs {
		v.loggedOut = v.loggedOut[1:]
	}
	v.loggedOut = append(v.loggedOut, s.ID())
}
