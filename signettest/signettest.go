// Package signettest helps to test handlers that use sessions: a ring, a session put on
// a request, and what a browser holds after the response.
//
// Every function fails the test by itself.
package signettest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/signet-go/signet"
)

// Ring is a new ring of one random key, for a Manager that lives as long as the test.
func Ring(t testing.TB) *signet.Keyring {
	t.Helper()
	ring, err := signet.NewKeyring(signet.GenerateKey(time.Time{}))
	if err != nil {
		t.Fatalf("signettest: %v", err)
	}
	return ring
}

// Put gives r the cookies of a new session of m that holds data, as if the visitor had
// been here before. Call it on the request that goes into m's Handler.
func Put[T any](t testing.TB, m *signet.Manager[T], r *http.Request, data T) {
	t.Helper()
	PutSession(t, m, r, func(s *signet.Session[T]) { s.Data = data })
}

// PutSession is Put for a session that differs in more than its data: change may call
// SetPersistent or SetLifetime.
func PutSession[T any](t testing.TB, m *signet.Manager[T], r *http.Request, change func(*signet.Session[T])) {
	t.Helper()
	w := httptest.NewRecorder()
	visit := httptest.NewRequest(http.MethodGet, "https://signettest.example/", nil)
	s := m.Load(visit)
	s.Renew() // written even if data is empty
	change(s)
	if err := m.Save(w, visit, s); err != nil {
		t.Fatalf("signettest: saving the session: %v", err)
	}
	for _, c := range w.Result().Cookies() {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
}

// Read is the session that a browser holds after it sent r and received res: that of r where
// res changed nothing. If the browser holds none, after a log-out for example, it is a new session.
// A cookie that does not open fails the test.
func Read[T any](t testing.TB, m *signet.Manager[T], r *http.Request, res *http.Response) *signet.Session[T] {
	t.Helper()
	after := httptest.NewRequest(http.MethodGet, "https://signettest.example/", nil)
	set := res.Cookies()
	for _, c := range r.Cookies() {
		if !replaced(c.Name, set) {
			after.AddCookie(c)
		}
	}
	for _, c := range set {
		if c.MaxAge >= 0 {
			after.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	s := m.Load(after)
	if s.Err() != nil {
		t.Fatalf("signettest: the session does not open: %v", s.Err())
	}
	return s
}

func replaced(name string, by []*http.Cookie) bool {
	for _, c := range by {
		if c.Name == name {
			return true
		}
	}
	return false
}
