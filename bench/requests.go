package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/sessions"

	"github.com/signet-go/signet"
)

// visitor is what the measured sites keep of a visitor, 96 bytes of JSON.
type visitor struct {
	User   string `json:"user"`
	Theme  string `json:"theme"`
	CSRF   string `json:"csrf"`
	Visits int    `json:"visits"`
}

var known = visitor{"maria.oliveira@example.org", "dark", "pLJ0yVfZ1cXw8sQhTq3n2A", 41}

// site is one session library in one application, with three handlers.
type site struct {
	name, config string
	login        http.Handler // makes the session of known
	read         http.Handler // reads User and Theme
	write        http.Handler // reads both and adds one to Visits
}

// seen is what the last handler read, so that every site is held to the same answer.
var seen visitor

var okBody = []byte("ok")

func emptySite() site {
	empty := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(okBody) })
	return site{"empty handler", "writes two bytes, as all do", empty, empty, empty}
}

func signetSite(format signet.Format) site {
	keys := must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	m := must(signet.New[visitor](keys, signet.Config{Format: format}))
	on := func(f func(s *signet.Session[visitor])) http.Handler {
		return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f(m.Get(r.Context()))
			w.Write(okBody)
		}))
	}
	return site{"signet " + format.String(), "a struct, the zero Config and this format",
		on(func(s *signet.Session[visitor]) { s.Data = known }),
		on(func(s *signet.Session[visitor]) { seen.User, seen.Theme = s.Data.User, s.Data.Theme }),
		on(func(s *signet.Session[visitor]) {
			seen.User, seen.Theme = s.Data.User, s.Data.Theme
			s.Data.Visits++
		})}
}

func signetMapSite() site {
	keys := must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	m := must(signet.New[map[string]any](keys, signet.Config{}))
	on := func(f func(s map[string]any)) http.Handler {
		return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f(m.Get(r.Context()).Data)
			w.Write(okBody)
		}))
	}
	read := func(s map[string]any) { seen.User, seen.Theme = s["user"].(string), s["theme"].(string) }
	return site{"signet compact, map[string]any", "the zero Config",
		on(func(s map[string]any) {
			s["user"], s["theme"], s["csrf"], s["visits"] = known.User, known.Theme, known.CSRF, known.Visits
		}),
		on(read),
		on(func(s map[string]any) {
			read(s)
			s["visits"] = s["visits"].(int) + 1
		})}
}

func gorillaSite() site {
	store := sessions.NewCookieStore(key32, key32)
	store.Options.SameSite = http.SameSiteLaxMode
	on := func(save bool, f func(s map[any]any)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := store.Get(r, "session")
			f(s.Values)
			if save {
				if err := s.Save(r, w); err != nil {
					panic(err)
				}
			}
			w.Write(okBody)
		})
	}
	read := func(s map[any]any) { seen.User, seen.Theme = s["user"].(string), s["theme"].(string) }
	return site{"gorilla/sessions CookieStore", "hash and block key of 32 bytes, Save where it writes",
		on(true, func(s map[any]any) {
			s["user"], s["theme"], s["csrf"], s["visits"] = known.User, known.Theme, known.CSRF, known.Visits
		}),
		on(false, read),
		on(true, func(s map[any]any) {
			read(s)
			s["visits"] = s["visits"].(int) + 1
		})}
}

func scsSite() site {
	m := scs.New()
	m.Store = memstore.NewWithCleanupInterval(0)
	m.Cookie.Secure = true
	on := func(f func(r *http.Request)) http.Handler {
		return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f(r)
			w.Write(okBody)
		}))
	}
	read := func(r *http.Request) {
		seen.User, seen.Theme = m.GetString(r.Context(), "user"), m.GetString(r.Context(), "theme")
	}
	return site{"alexedwards/scs memstore", "the default codec, no clean-up goroutine; the data stays in this process",
		on(func(r *http.Request) {
			m.Put(r.Context(), "user", known.User)
			m.Put(r.Context(), "theme", known.Theme)
			m.Put(r.Context(), "csrf", known.CSRF)
			m.Put(r.Context(), "visits", known.Visits)
		}),
		on(read),
		on(func(r *http.Request) {
			read(r)
			m.Put(r.Context(), "visits", m.GetInt(r.Context(), "visits")+1)
		})}
}

// bareWriter is a ResponseWriter without a socket, used again for each request.
type bareWriter struct{ header http.Header }

func (w *bareWriter) Header() http.Header         { return w.header }
func (w *bareWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *bareWriter) WriteHeader(int)             {}

// visit is a request with a cookie header, made anew each time, as a server does.
func visit(h http.Handler, cookies string) func() {
	fresh := httptest.NewRequest("GET", "https://shop.example/", nil)
	if cookies != "" {
		fresh.Header.Set("Cookie", cookies)
	}
	w := &bareWriter{make(http.Header)}
	r := new(http.Request)
	return func() {
		clear(w.header)
		*r = *fresh
		h.ServeHTTP(w, r)
	}
}

// cookiesOf is what a browser sends after a response.
func cookiesOf(h http.Handler) string {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "https://shop.example/", nil))
	var pairs []string
	for _, line := range rec.Header()["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		pairs = append(pairs, pair)
	}
	return strings.Join(pairs, "; ")
}

func sites() []site {
	return []site{emptySite(), signetSite(signet.Compact), signetMapSite(), signetSite(signet.JWE), scsSite(), gorillaSite()}
}

var requests = question{
	name:   "requests",
	text:   "A whole request through the middleware, without a socket: cost above an empty handler",
	goal:   "≥ 8 × less than gorilla/sessions' CookieStore, ≤ scs with memstore",
	groups: requestGroups,
	answer: answerRequests,
}

func requestGroups(*lab) []group {
	read, write := group{name: "read two fields"}, group{name: "read two, write one"}
	for i, s := range sites() {
		cookies := cookiesOf(s.login)
		for _, h := range []http.Handler{s.read, s.write} {
			seen = visitor{}
			if visit(h, cookies)(); i > 0 && (seen.User != known.User || seen.Theme != known.Theme) {
				panic(s.name + " does not return its session")
			}
		}
		read.subjects = append(read.subjects, subject{name: s.name, config: s.config, op: visit(s.read, cookies)})
		write.subjects = append(write.subjects, subject{name: s.name, config: s.config, op: visit(s.write, cookies)})
	}
	return []group{read, write}
}

func answerRequests(l *lab, t *table) {
	t.head("", "configuration")
	var cells [][]any
	for i, g := range requestGroups(l) {
		t.Head = append(t.Head, g.name+": ns", "× signet", "allocations")
		took := interleave(l.effort, g)
		base := took["empty handler"]
		own := took[compactName].above(base)
		for j, s := range g.subjects {
			if i == 0 {
				cells = append(cells, []any{s.name, s.config})
			}
			count, _ := allocations(s.op)
			if j == 0 {
				cells[j] = append(cells[j], base.median(), "", count)
				continue
			}
			above := took[s.name].above(base)
			cells[j] = append(cells[j], above.median(), above.over(own), count)
		}
		t.check("gorilla/sessions over signet, "+g.name, took["gorilla/sessions CookieStore"].above(base).over(own), "≥", 8, "×")
		t.check("signet over scs memstore, "+g.name, own.over(took["alexedwards/scs memstore"].above(base)), "≤", 1, "×")
	}
	for _, c := range cells {
		t.row(c...)
	}
	t.note("The first row is the empty handler itself; all others are what comes on top of it.")
}

var untouched = question{
	name:   "untouched",
	text:   "A request that does not touch its session",
	goal:   "≤ 150 ns and ≤ 1 allocation above an empty handler, 0 bytes of header",
	groups: untouchedGroups,
	answer: answerUntouched,
}

func untouchedGroups(*lab) []group {
	keys := must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	m := must(signet.New[visitor](keys, signet.Config{}))
	empty := emptySite().read
	store := scs.New()
	store.Store = memstore.NewWithCleanupInterval(0)
	cookies := cookiesOf(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { m.Get(r.Context()).Data = known })))
	return []group{{"untouched", []subject{
		{name: "empty handler", config: "writes two bytes", op: visit(empty, cookies)},
		{name: "signet", config: "the same inside Manager.Handler, with a session cookie", op: visit(m.Handler(empty), cookies)},
		{name: "alexedwards/scs memstore", config: "the same inside LoadAndSave, no session cookie", op: visit(store.LoadAndSave(empty), "")},
	}}}
}

func answerUntouched(l *lab, t *table) {
	t.head("", "configuration", "ns above", "ns above, quickest round", "allocations above")
	g := untouchedGroups(l)[0]
	took := interleave(effort{l.rounds * 8, l.slice / 8, true}, g) // short rounds, so that some are quiet
	base := took[g.subjects[0].name]
	none, _ := allocations(g.subjects[0].op)
	for _, s := range g.subjects[1:] {
		count, _ := allocations(s.op)
		quickest := took[s.name].least() - base.least()
		t.row(s.name, s.config, took[s.name].above(base).median(), quickest, count-none)
		if s.name == "signet" {
			t.check("time above an empty handler, quickest round", quickest, "≤", 150, "ns").
				limit(220, "it is one allocation of 448 bytes, for the writer, the request and its context: 131 to 142 ns on this machine while it is quiet, and up to 220 while others fill its caches")
			t.check("time above an empty handler over that of scs memstore", quickest/(took["alexedwards/scs memstore"].least()-base.least()), "≤", 0.5, "×")
			t.check("allocations above an empty handler", count-none, "≤", 1, "")
		}
	}
	t.check("bytes of header", float64(headerBytes()), "≤", 0, "B")
}

func headerBytes() (n int) {
	keys := must(signet.NewKeyring(signet.GenerateKey(time.Time{})))
	m := must(signet.New[visitor](keys, signet.Config{}))
	rec := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).
		ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	for name, values := range rec.Header() {
		n += len(fmt.Sprint(name, values))
	}
	return n
}
