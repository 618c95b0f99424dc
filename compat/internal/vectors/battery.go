package vectors

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/require"
)

// Writer is a format that is written, too.
type Writer interface {
	signet.ForeignFormat
	Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error)
	Clear(cookies []*http.Cookie) []*http.Cookie
}

// Cookies are name, value, name, value and so on as a request brings them.
func Cookies(pairs ...string) []*http.Cookie {
	var all []*http.Cookie
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, &http.Cookie{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

// Browser is what a browser that held carried holds after an answer with set, oldest first.
func Browser(carried, set []*http.Cookie) []*http.Cookie {
	held := slices.Clone(carried)
	for _, c := range set {
		held = slices.DeleteFunc(held, func(h *http.Cookie) bool { return h.Name == c.Name })
		if c.MaxAge >= 0 {
			held = append(held, &http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	return held
}

// observer counts events by kind.
type observer struct {
	mu     sync.Mutex
	events []signet.Event
}

func (o *observer) Observe(_ context.Context, e signet.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

func (o *observer) of(kind string) []signet.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(o.events), func(e signet.Event) bool { return e.Kind != kind })
}

// visit sends carried to a signet application that takes over sessions of format.
func visit(t *testing.T, format signet.ForeignFormat, carried []*http.Cookie, now time.Time) (*signet.Session[map[string]any], *http.Response, *observer) {
	keys, err := signet.NewKeyring(signet.GenerateKey(time.Unix(0, 0)))
	require.NoError(t, err)
	keys.SetClock(func() time.Time { return now })
	seen := &observer{}
	sessions, err := signet.New[map[string]any](keys, signet.Config{
		Observer: seen,
		Logger:   slog.New(slog.DiscardHandler),
		Legacy: []signet.Legacy{signet.Migrate(format, func(f *signet.Foreign) (map[string]any, error) {
			var claims map[string]any
			return map[string]any{"old": &claims}, json.Unmarshal(f.Claims, &claims)
		})},
	})
	require.NoError(t, err)
	var session *signet.Session[map[string]any]
	handler := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session = sessions.Get(r.Context())
	}))
	r := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
	for _, c := range carried {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return session, w.Result(), seen
}

// MovesIn requires that a signet application knows the visitor, answers with a cookie of its own, deletes
// exactly the old ones, and counts it.
func MovesIn(t *testing.T, format signet.ForeignFormat, carried []*http.Cookie, now time.Time) {
	t.Helper()
	session, answer, seen := visit(t, format, carried, now)
	require.False(t, session.IsNew(), "the visitor is new: %v", session.Err())
	require.Len(t, seen.of("migrated"), 1)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	gone := map[string]bool{}
	for _, c := range answer.Cookies() {
		if c.MaxAge < 0 {
			gone[c.Name] = true
		}
	}
	for _, c := range carried {
		require.True(t, gone[c.Name], "the old cookie %s stays", c.Name)
	}
	require.Len(t, gone, len(carried), "a cookie is deleted that was not there")
}

// IsNew requires that the visitor is simply new, that nothing of his is deleted, and that the reason
// is counted.
func IsNew(t *testing.T, format signet.ForeignFormat, carried []*http.Cookie, now time.Time, want error) {
	t.Helper()
	session, answer, seen := visit(t, format, carried, now)
	require.True(t, session.IsNew())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Empty(t, answer.Cookies())
	failed := seen.of("failed")
	if want == http.ErrNoCookie {
		require.Empty(t, failed)
		return
	}
	require.Len(t, failed, 1)
	require.ErrorIs(t, failed[0].Err, want)
}

// Attack changes, cuts, exchanges and leaves out what a good request carries. Whatever
// still opens must say what it said before.
func Attack(t *testing.T, format signet.ForeignFormat, good []*http.Cookie, now time.Time) {
	t.Helper()
	honest, err := format.Open(good, now)
	require.NoError(t, err)
	refused := 0
	try := func(carried []*http.Cookie, what string, args ...any) {
		t.Helper()
		f, err := format.Open(carried, now)
		if err != nil {
			require.True(t, Sentinel(err), "%v", err)
			refused++
			return
		}
		require.JSONEq(t, string(honest.Claims), string(f.Claims), what, args)
	}
	with := func(i int, value string) []*http.Cookie {
		carried := slices.Clone(good)
		carried[i] = &http.Cookie{Name: good[i].Name, Value: value}
		return carried
	}
	tries := 0
	for i, c := range good {
		for at := 0; at < len(c.Value); at += 1 + len(c.Value)/300 {
			for _, other := range []string{"A", "b", "-", ".", "*", "%", ""} {
				try(with(i, c.Value[:at]+other+c.Value[at+1:]), "changed at %d", at)
				tries++
			}
			try(with(i, c.Value[:at]), "cut at %d", at)
			try(with(i, c.Value[:at]+"A"+c.Value[at:]), "longer at %d", at)
		}
		try(slices.Delete(slices.Clone(good), i, i+1), "without %s", c.Name)
		for j := range i {
			swapped := slices.Clone(good)
			swapped[i], swapped[j] = &http.Cookie{Name: good[i].Name, Value: good[j].Value}, &http.Cookie{Name: good[j].Name, Value: good[i].Value}
			_, err := format.Open(swapped, now)
			require.Error(t, err, "%s and %s exchanged", good[i].Name, good[j].Name)
		}
		renamed := slices.Clone(good)
		renamed[i] = &http.Cookie{Name: "x" + c.Name, Value: c.Value}
		_, err := format.Open(renamed, now)
		require.Error(t, err, "%s renamed", c.Name)
	}
	require.Greater(t, refused, tries/2, "most changes must be refused")
	twice := append(with(0, "garbage"), good...)
	try(twice, "garbage of the same name in front")
}

// Claims are sessions of every kind, each a JSON object.
func Claims() map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"plain":      json.RawMessage(`{"user":{"id":7,"name":"ada"}}`),
		"unicode":    json.RawMessage(`{"n":"Zoë 日本 𝄞 <&>","q":"\"\\\u2028\u0000","é":"ключ"}`),
		"nested":     json.RawMessage(`{"a":[1,2.5,null,true,[{"b":[[]]}],{}],"c":{"d":{"e":{"f":""}}}}`),
		"big number": json.RawMessage(`{"id":9007199254740993,"f":1e-7}`),
		"3 KB":       json.RawMessage(`{"blob":"` + strings.Repeat("x", 2600) + `"}`),
		"__proto__":  json.RawMessage(`{"__proto__":{"admin":true},"constructor":1}`),
	}
}

// RoundTrips requires that what is written opens again, with the same claims.
func RoundTrips(t *testing.T, w Writer, now time.Time, more ...json.RawMessage) {
	all := Claims()
	for i, claims := range more {
		all[fmt.Sprintf("own %d", i)] = claims
	}
	for name, claims := range all {
		t.Run(name, func(t *testing.T) { RoundTrip(t, w, claims, now) })
	}
	t.Run("from many goroutines", func(t *testing.T) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 5 {
					set, err := w.Update(nil, Claims()["unicode"], now)
					if err == nil {
						_, err = w.Open(Browser(nil, set), now)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}

// RoundTrip is RoundTrips of one session.
func RoundTrip(t *testing.T, w Writer, claims json.RawMessage, now time.Time) {
	t.Helper()
	set, err := w.Update(nil, claims, now)
	require.NoError(t, err)
	for _, c := range set {
		require.NoError(t, c.Valid())
		require.LessOrEqual(t, len(c.Name)+len(c.Value), 4096, "browsers drop it")
	}
	f, err := w.Open(Browser(nil, set), now)
	require.NoError(t, err)
	Contains(t, f.Claims, claims)
	require.Zero(t, f.KeyIndex, "the newest secret writes")
}

// Bounded requires that a stranger's request costs less than a megabyte of memory, whatever it carries under the name of the
// good cookie.
func Bounded(t *testing.T, format signet.ForeignFormat, good []*http.Cookie, now time.Time) {
	t.Helper()
	name, megabyte := good[0].Name, strings.Repeat("Fe26.2*1*e30.%2A", 1<<16)
	var many []*http.Cookie
	for i := range 20000 {
		for _, separator := range []string{"", ".", "__"} {
			if separator != "" {
				many = append(many, &http.Cookie{Name: fmt.Sprint(name, separator, i), Value: megabyte[:100]})
			}
			many = append(many, &http.Cookie{Name: name, Value: fmt.Sprint(i, good[0].Value)})
		}
	}
	for what, carried := range map[string][]*http.Cookie{
		"a value of a megabyte":             Cookies(name, megabyte, name+".0", megabyte, name+"__0", megabyte),
		"pieces of a megabyte":              Cookies(name+".0", megabyte[:16000], name+".1", megabyte, name+"__0", megabyte[:16000], name+"__1", megabyte),
		"sixty thousand values":             many,
		"dots, stars and nothing else":      Cookies(name, strings.Repeat(".*", 8000)),
		"percent signs and nothing else":    Cookies(name, strings.Repeat("%25", 5000)),
		"a piece of every number":           many[:3000],
		"a name with a number of 40 digits": Cookies(name+"."+strings.Repeat("9", 40), "x"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := format.Open(carried, now)
		runtime.ReadMemStats(&after)
		require.Error(t, err, what)
		require.True(t, Sentinel(err), "%s: %v", what, err)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), what)
	}
}

// Contains requires every member of want in got, with its text.
func Contains(t testing.TB, got, want json.RawMessage) {
	t.Helper()
	all, some := members(t, got), members(t, want)
	for name, value := range some {
		require.JSONEq(t, string(value), string(all[name]), "member %q", name)
	}
}

func members(t testing.TB, text json.RawMessage) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &m))
	return m
}

// PrintsNothing requires that no way of printing v shows one of the secrets.
func PrintsNothing(t *testing.T, v any, secrets ...string) {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb, v)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	text, _ := json.Marshal(v)
	b.Write(text)
	// testify's diff prints what is behind every pointer and every unexported field.
	quiet := &recorder{}
	require.Equal(quiet, fmt.Sprintf("%T", v), v)
	b.WriteString(quiet.text)
	require.NotEmpty(t, quiet.text)
	for _, secret := range secrets {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret))} {
			require.NotContains(t, b.String(), form)
		}
		require.NotContains(t, b.String(), fmt.Sprintf("%x", secret[:min(len(secret), 8)]))
	}
}

type recorder struct{ text string }

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }
func (r *recorder) FailNow()                          {}

// Fuzz lets a stranger choose the cookies and a session's claims: nothing panics, every error is one
// of the few, and what opens is written so that it opens again.
func Fuzz(f *testing.F, w Writer, now time.Time, seeds []Vector) {
	for _, v := range seeds {
		r := http.Request{Header: http.Header{}}
		for name, value := range v.Cookies {
			r.Header.Add("Cookie", name+"="+value)
		}
		text := v.Text
		if text == "" {
			text = `{}`
		}
		f.Add(strings.Join(r.Header["Cookie"], "; "), text)
	}
	f.Fuzz(func(t *testing.T, header, claims string) {
		r := http.Request{Header: http.Header{"Cookie": {header}}}
		carried := r.Cookies()
		opened, err := w.Open(carried, now)
		if err != nil {
			require.True(t, Sentinel(err), "%v", err)
		} else {
			again(t, w, carried, opened.Claims, now)
		}
		if json.Valid([]byte(claims)) {
			again(t, w, carried, json.RawMessage(claims), now)
		}
	})
}

// again writes claims over what carried holds and opens the result.
func again(t *testing.T, w Writer, carried []*http.Cookie, claims json.RawMessage, now time.Time) {
	set, err := w.Update(carried, claims, now)
	if err != nil {
		return // no object, or too large
	}
	if !slices.ContainsFunc(set, func(c *http.Cookie) bool { return c.MaxAge >= 0 }) {
		return // some delete the cookie of an empty session
	}
	held := Browser(carried, set)
	f, err := w.Open(held, now)
	require.NoError(t, err)
	require.True(t, json.Valid(f.Claims))
	left, err := w.Open(Browser(held, w.Clear(held)), now)
	require.ErrorIs(t, err, http.ErrNoCookie, "after the log-out: %v", left)
}
