package signet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/stretchr/testify/require"
)

// stage is a Manager whose clock the test moves.
type stage[T any] struct {
	*signet.Manager[T]
	ring *signet.Keyring
	now  time.Time
	seen *events
}

func newStage[T any](t testing.TB, cfg signet.Config) *stage[T] {
	t.Helper()
	return stageOver[T](t, newRing(t), cfg)
}

func stageOver[T any](t testing.TB, ring *signet.Keyring, cfg signet.Config) *stage[T] {
	t.Helper()
	s := &stage[T]{ring: ring, now: time.Unix(1_800_000_000, 0), seen: new(events)}
	ring.SetClock(func() time.Time { return s.now })
	cfg.Observer = s.seen
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	m, err := signet.New[T](ring, cfg)
	require.NoError(t, err)
	s.Manager = m
	return s
}

// with runs do on the session of a visitor and lets the browser take what comes back.
func (s *stage[T]) with(b *browser, do func(*signet.Session[T])) *httptest.ResponseRecorder {
	return b.visit(s, func(_ http.ResponseWriter, r *http.Request) { do(s.Get(r.Context())) })
}

func (s *stage[T]) load(b *browser) *signet.Session[T] {
	if header := b.header(); header != "" {
		return seen(s.Manager, header)
	}
	return seen(s.Manager)
}

func TestTheAbsoluteLifetime(t *testing.T) {
	for _, row := range []struct {
		name     string
		lifetime time.Duration
		at       time.Duration
		err      error
	}{
		{"by default a session lives for 24 hours", 0, 24 * time.Hour, nil},
		{"and for the leeway", 0, 24*time.Hour + time.Minute, nil},
		{"but not a second longer", 0, 24*time.Hour + time.Minute + time.Second, signet.ErrExpired},
		{"Config.Lifetime shortens that", time.Hour, time.Hour + time.Minute, nil},
		{"to the second", time.Hour, time.Hour + time.Minute + time.Second, signet.ErrExpired},
		{"a clock behind by the skew opens it", time.Hour, -5 * time.Minute, nil},
		{"one further behind does not", time.Hour, -5*time.Minute - time.Second, signet.ErrClockSkew},
	} {
		for _, format := range formats {
			t.Run(format.String()+": "+row.name, func(t *testing.T) {
				s, b := newStage[bag](t, signet.Config{Format: format, Lifetime: row.lifetime}), newBrowser(t)
				s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
				s.now = s.now.Add(row.at)
				require.Equal(t, row.err, s.load(b).Err())
			})
		}
	}
}

func TestTheLifetimeSurvivesWritesAndOnlyRenewStartsANewOne(t *testing.T) {
	s, b := newStage[bag](t, signet.Config{Lifetime: 10 * time.Hour}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "0" })
	first := s.load(b)
	require.Equal(t, s.now.UTC(), first.Created())
	require.Equal(t, s.now.Add(10*time.Hour).UTC(), first.Expires())
	for i := range 9 {
		s.now = s.now.Add(time.Hour)
		s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = fmt.Sprint(i) })
		now := s.load(b)
		require.Equal(t, first.ID(), now.ID())
		require.Equal(t, first.Created(), now.Created())
		require.Equal(t, first.Expires(), now.Expires())
	}
	s.with(b, func(s *signet.Session[bag]) { s.Renew() })
	renewed := s.load(b)
	require.NotEqual(t, first.ID(), renewed.ID())
	require.Equal(t, s.now.UTC(), renewed.Created())
	require.Equal(t, s.now.Add(10*time.Hour).UTC(), renewed.Expires())
	require.Equal(t, "8", renewed.Data["v"], "the data is kept")
}

func TestRememberMe(t *testing.T) {
	ring := signet.Must(newRing(t).WithPolicy(signet.Policy{Life: 30 * 24 * time.Hour}))
	s, b := stageOver[bag](t, ring, signet.Config{}), newBrowser(t)
	w := s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
	require.NotContains(t, w.Header().Get("Set-Cookie"), "Max-Age", "until the browser ends")

	w = s.with(b, func(s *signet.Session[bag]) {
		require.False(t, s.Persistent())
		require.NoError(t, s.SetLifetime(30*24*time.Hour))
		s.SetPersistent(true)
	})
	require.Contains(t, w.Header().Get("Set-Cookie"), "; Max-Age=2592000;")
	s.now = s.now.Add(29 * 24 * time.Hour)
	require.True(t, s.load(b).Persistent())
	w = s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "y" })
	require.Contains(t, w.Header().Get("Set-Cookie"), "; Max-Age=86400;", "it follows the sealed end")

	w = s.with(b, func(s *signet.Session[bag]) { s.Renew() })
	require.Contains(t, w.Header().Get("Set-Cookie"), "; Max-Age=2592000;", "Renew keeps the length of the life")
	w = s.with(b, func(s *signet.Session[bag]) { s.SetPersistent(true) })
	require.Empty(t, w.Header()["Set-Cookie"], "it was already")
	w = s.with(b, func(s *signet.Session[bag]) { s.SetPersistent(false) })
	require.NotContains(t, w.Header().Get("Set-Cookie"), "Max-Age")
}

func TestEveryCookieOfAPersistentSessionHasTheSameMaxAge(t *testing.T) {
	s, b := newStage[bag](t, signet.Config{IdleTimeout: time.Hour}), newBrowser(t)
	w := s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = noise(4200); s.SetPersistent(true) })
	require.Len(t, w.Header()["Set-Cookie"], 3)
	for _, line := range w.Header()["Set-Cookie"] {
		require.Contains(t, line, "; Max-Age=86400;")
	}
}

func TestLifetimesThatAreRefused(t *testing.T) {
	s := seen(newManager(t, signet.Config{}))
	before := s.Expires()
	for _, row := range []struct {
		name string
		d    time.Duration
		want string
	}{
		{"zero", 0, "outside one second to 400 days"},
		{"negative", -time.Hour, "outside one second to 400 days"},
		{"above 400 days", 400*24*time.Hour + 1, "outside one second to 400 days"},
		{"above the policy's life", 25 * time.Hour, `set "policy": {"life": "25h"} in the key file`},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.ErrorContains(t, s.SetLifetime(row.d), row.want)
			require.Equal(t, before, s.Expires(), "nothing has changed")
		})
	}
	for _, row := range []struct {
		name string
		cfg  signet.Config
		want string
	}{
		{"a lifetime under a second", signet.Config{Lifetime: time.Millisecond}, "under a second"},
		{"a negative lifetime", signet.Config{Lifetime: -1}, "under a second"},
		{"a lifetime above 400 days", signet.Config{Lifetime: 401 * 24 * time.Hour}, "above 400 days"},
		{"a lifetime above the policy's life", signet.Config{Lifetime: 48 * time.Hour}, `set "policy": {"life": "48h"}`},
		{"an idle timeout under 10 seconds", signet.Config{IdleTimeout: 9 * time.Second}, "under 10 seconds"},
		{"a negative idle timeout", signet.Config{IdleTimeout: -1}, "under 10 seconds"},
		{"an idle timeout above the lifetime", signet.Config{Lifetime: time.Hour, IdleTimeout: 2 * time.Hour}, "would never pass"},
		{"an unknown format", signet.Config{Format: 7}, "Format(7)"},
		{"a tenant over 256 bytes", signet.Config{Tenant: strings.Repeat("t", 257)}, "257 bytes"},
		{"an empty Legacy", signet.Config{Legacy: []signet.Legacy{{}}}, "Config.Legacy[0] is empty"},
		{"a Validate for other sessions", signet.Config{Validate: signet.Validate(func(*http.Request, *signet.Session[int]) error { return nil })}, "Config.Validate is for sessions of int"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := signet.New[bag](newRing(t), row.cfg)
			require.ErrorContains(t, err, row.want)
		})
	}
	_, err := signet.New[bag](newRing(t), signet.Config{Format: 7, IdleTimeout: -1, Tenant: strings.Repeat("t", 257), Cookie: signet.Cookie{Budget: 1}})
	for _, want := range []string{"Format(7)", "under 10 seconds", "257 bytes", "1,024 to 24,576"} {
		require.ErrorContains(t, err, want, "all problems at once")
	}
	_, err = signet.New[bag](nil, signet.Config{})
	require.ErrorContains(t, err, "needs a Keyring")
	_, err = signet.New[bag](new(signet.Keyring), signet.Config{})
	require.ErrorContains(t, err, "ParseKeyring")
}

func TestASessionThatIsNoJSONObjectIsRefused(t *testing.T) {
	ring := newRing(t)
	refused := func(_ any, err error) string {
		t.Helper()
		require.Error(t, err)
		return err.Error()
	}
	type loop struct{ Next *loop }
	for _, row := range []struct{ got, want string }{
		{refused(signet.New[int](ring, signet.Config{})), "no JSON object"},
		{refused(signet.New[string](ring, signet.Config{})), "no JSON object"},
		{refused(signet.New[[]string](ring, signet.Config{})), "no JSON object"},
		{refused(signet.New[any](ring, signet.Config{})), "no JSON object"},
		{refused(signet.New[*loop](ring, signet.Config{})), "not a pointer"},
		{refused(signet.New[map[int]string](ring, signet.Config{})), "keys must be strings"},
		{refused(signet.New[struct{ C chan int }](ring, signet.Config{})), "cannot be encoded"},
		{refused(signet.New[struct{ F func() }](ring, signet.Config{})), "cannot be encoded"},
		{refused(signet.New[flicker](ring, signet.Config{})), "encodes differently each time"},
		{refused(signet.New[time.Time](ring, signet.Config{})), "no JSON object"},
	} {
		require.Contains(t, row.got, row.want)
	}
	_, err := signet.New[loop](ring, signet.Config{})
	require.NoError(t, err, "a type that holds itself")
	type name string
	_, err = signet.New[map[name]any](ring, signet.Config{})
	require.NoError(t, err, "keys of a string type")
}

var flickers int

// flicker encodes differently each time.
type flicker struct{}

func (flicker) MarshalJSON() ([]byte, error) {
	flickers++
	return fmt.Appendf(nil, `{"n":%d}`, flickers), nil
}

func TestTheIdleTimeout(t *testing.T) {
	const idle, allowance = time.Hour, time.Hour + 6*time.Minute + 5*time.Minute // a tenth and the skew
	s, b := newStage[bag](t, signet.Config{IdleTimeout: idle}), newBrowser(t)
	w := s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
	require.Len(t, w.Header()["Set-Cookie"], 2)
	require.Less(t, len(b.jar["__Host-Http-session.t"]), 80)
	data := b.jar["__Host-Http-session"]

	read := func(*signet.Session[bag]) {}
	s.now = s.now.Add(5 * time.Minute)
	require.Empty(t, s.with(b, read).Header()["Set-Cookie"], "written at most once in a tenth")
	for range 20 { // 20 hours of visits, each just in time
		s.now = s.now.Add(idle)
		w = s.with(b, read)
		require.Len(t, w.Header()["Set-Cookie"], 1)
		require.Equal(t, data, b.jar["__Host-Http-session"], "a read never writes the data")
		require.Equal(t, "x", s.load(b).Data["v"])
	}
	s.now = s.now.Add(allowance + time.Minute)
	require.NoError(t, s.load(b).Err(), "a tenth of the timeout, the skew and the leeway are allowed")
	s.now = s.now.Add(time.Second)
	require.Equal(t, signet.ErrExpired, s.load(b).Err())
	require.True(t, s.load(b).IsNew())
}

func TestTheIdleClockMeansNothingAlone(t *testing.T) {
	s := newStage[bag](t, signet.Config{IdleTimeout: time.Hour})
	ada, grace := newBrowser(t), newBrowser(t)
	s.with(ada, func(s *signet.Session[bag]) { s.Data["v"] = "ada" })
	s.with(grace, func(s *signet.Session[bag]) { s.Data["v"] = "grace" })
	clock := "__Host-Http-session.t"

	alone := newBrowser(t)
	alone.take([]string{clock + "=" + ada.jar[clock]})
	require.True(t, s.load(alone).IsNew())
	require.NoError(t, s.load(alone).Err())

	s.now = s.now.Add(3 * time.Hour)
	fresh := newBrowser(t)
	s.with(fresh, func(s *signet.Session[bag]) { s.Data["v"] = "fresh" })
	ada.jar[clock] = fresh.jar[clock]
	require.Equal(t, signet.ErrExpired, s.load(ada).Err(), "another's clock does not keep a session alive")
	delete(grace.jar, clock)
	require.Equal(t, signet.ErrExpired, s.load(grace).Err(), "nor does none")
	s.with(fresh, func(s *signet.Session[bag]) { s.Destroy() })
	require.Empty(t, fresh.jar, "log-out clears the clock as well")
}

func TestALateReadDoesNotUndoALogOut(t *testing.T) {
	s, b := newStage[bag](t, signet.Config{IdleTimeout: time.Hour}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
	s.now = s.now.Add(30 * time.Minute) // the idle clock is due
	early := newBrowser(t)              // a read that left before the log-out, answered after it
	for name, value := range b.jar {
		early.take([]string{name + "=" + value})
	}
	late := s.with(early, func(*signet.Session[bag]) {})
	s.with(b, func(s *signet.Session[bag]) { s.Destroy() })
	b.take(late.Header()["Set-Cookie"])
	require.True(t, s.load(b).IsNew(), "the log-out stands")
}

func TestALateReadDoesNotUndoAWrite(t *testing.T) {
	s, b := newStage[bag](t, signet.Config{IdleTimeout: time.Hour}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "old" })
	s.now = s.now.Add(30 * time.Minute)
	early := newBrowser(t)
	for name, value := range b.jar {
		early.take([]string{name + "=" + value})
	}
	late := s.with(early, func(*signet.Session[bag]) {})
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "new" })
	b.take(late.Header()["Set-Cookie"])
	require.Equal(t, "new", s.load(b).Data["v"])
}

func TestDestroy(t *testing.T) {
	s, b := newStage[bag](t, signet.Config{Cookie: signet.Cookie{Budget: 24 << 10}}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = noise(9000) })
	require.Equal(t, 3, len(b.jar))
	s.with(b, func(s *signet.Session[bag]) {
		s.Destroy()
		require.Empty(t, s.Data)
		s.Data["v"] = "later changes do not count"
		s.SetPersistent(true)
		s.Renew()
	})
	require.Empty(t, b.jar)
	require.Equal(t, 1, s.seen.count("cleared"))
}

func TestALogOutFromAnotherSiteWorksWithoutACookie(t *testing.T) {
	s, b := newStage[bag](t, signet.Config{}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
	r := httptest.NewRequest("POST", "https://app.example/saml/logout", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site") // so the Lax cookie stayed at home
	w := httptest.NewRecorder()
	s.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.Get(r.Context()).Destroy() })).ServeHTTP(w, r)
	b.take(w.Header()["Set-Cookie"])
	require.Empty(t, b.jar)
}

func TestFlashesAreShownOnce(t *testing.T) {
	type visitor struct {
		Flashes signet.Flashes `json:"flashes,omitempty"`
	}
	s, b := newStage[visitor](t, signet.Config{}), newBrowser(t)
	s.with(b, func(s *signet.Session[visitor]) {
		s.Data.Flashes.Add("info", "Saved.")
		s.Data.Flashes.Add("error", "But <b>late</b>.")
	})
	s.with(b, func(s *signet.Session[visitor]) {
		require.Equal(t, []signet.Flash{{Category: "info", Text: "Saved."}, {Category: "error", Text: "But <b>late</b>."}}, s.Data.Flashes.Take())
	})
	s.with(b, func(s *signet.Session[visitor]) { require.Empty(t, s.Data.Flashes.Take()) })
}

func TestValidateSeesEverySessionAndCanRefuseIt(t *testing.T) {
	errRevoked := errors.New("logged out elsewhere")
	revoked := map[string]bool{}
	calls := 0
	s, b := newStage[bag](t, signet.Config{Validate: signet.Validate(func(r *http.Request, s *signet.Session[bag]) error {
		calls++
		require.Equal(t, "app.example", r.Host)
		if revoked[s.ID()] {
			return errRevoked
		}
		return nil
	})}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
	require.Zero(t, calls, "a new one has nothing to refuse")
	id := s.load(b).ID()
	require.Equal(t, 1, calls)
	revoked[id] = true // a copy of the cookie, after log-out
	refused := s.load(b)
	require.True(t, refused.IsNew())
	require.Equal(t, errRevoked, refused.Err())
	require.Empty(t, refused.Data)
	require.NotEqual(t, id, refused.ID())
	require.Equal(t, 1, s.seen.count("failed"))
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "again" })
	require.NotEqual(t, id, s.load(b).ID())
}

// Fixation: what an attacker planted before the login is not the session after it.
func TestRenewAtLoginLeavesAPlantedSessionBehind(t *testing.T) {
	s := newStage[bag](t, signet.Config{})
	attacker, victim := newBrowser(t), newBrowser(t)
	s.with(attacker, func(s *signet.Session[bag]) { s.Data["cart"] = "x" })
	victim.take([]string{attacker.header()})
	s.with(victim, func(s *signet.Session[bag]) { s.Renew(); s.Data["user"] = "victim" })
	require.Empty(t, s.load(attacker).Data["user"])
	require.NotEqual(t, s.load(attacker).ID(), s.load(victim).ID())
}

func TestWhatCountsAsChanged(t *testing.T) {
	type item struct {
		Name string
		Tags []string
	}
	type data struct {
		Text  string           `json:"text"`
		Items []*item          `json:"items,omitempty"`
		Deep  map[string][]int `json:"deep,omitempty"`
		Any   any              `json:"any,omitempty"`
		At    *time.Time       `json:"at,omitempty"`
	}
	start := func() data {
		return data{Text: "<a & b>", Items: []*item{{"one", []string{"x"}}}, Deep: map[string][]int{"k": {1, 2}}, Any: map[string]any{"n": 1, "f": 1.5}}
	}
	for _, row := range []struct {
		name    string
		change  func(*data)
		written bool
	}{
		{"reading", func(*data) {}, false},
		{"the same text again", func(d *data) { d.Text = "<a & b>" }, false},
		{"an empty list for none", func(d *data) { d.At = nil }, false},
		{"a whole equal value", func(d *data) { *d = start() }, false},
		{"a field", func(d *data) { d.Text = "b" }, true},
		{"an element of a list behind a pointer", func(d *data) { d.Items[0].Tags[0] = "y" }, true},
		{"an element of a list in a map", func(d *data) { d.Deep["k"][1] = 3 }, true},
		{"a value inside an any", func(d *data) { d.Any.(map[string]any)["n"] = 2 }, true},
		{"a deleted key", func(d *data) { delete(d.Deep, "k") }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, b := newStage[data](t, signet.Config{}), newBrowser(t)
			s.with(b, func(s *signet.Session[data]) { s.Data = start() })
			w := s.with(b, func(s *signet.Session[data]) { row.change(&s.Data) })
			require.Equal(t, row.written, len(w.Header()["Set-Cookie"]) > 0)
		})
	}
}

func TestNumbersKeepTheirTypeAndValue(t *testing.T) {
	s, b := newStage[map[string]any](t, signet.Config{}), newBrowser(t)
	want := map[string]any{"int": 7, "big": 1<<62 + 1, "neg": -3, "float": 1.5, "text": "7", "list": []any{1, "a", nil, true}, "map": map[string]any{"n": 9007199254740993}}
	s.with(b, func(s *signet.Session[map[string]any]) { s.Data = want })
	require.Equal(t, want, s.load(b).Data)
	require.Empty(t, s.with(b, func(*signet.Session[map[string]any]) {}).Header()["Set-Cookie"])
	s.with(b, func(s *signet.Session[map[string]any]) { s.Data = map[string]any{"u": uint64(1<<64 - 1)} })
	require.Equal(t, json.Number("18446744073709551615"), s.load(b).Data["u"])
}

func TestAMissingMapIsMadeAgain(t *testing.T) {
	s, b := newStage[bag](t, signet.Config{}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
	s.with(b, func(s *signet.Session[bag]) { s.Data = nil })
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "y" })
	require.Equal(t, "y", s.load(b).Data["v"])
}

// A rolling deploy: each version knows a field that the other does not.
func TestFieldsThatAProgramDoesNotKnowSurviveIt(t *testing.T) {
	type v1 struct {
		Name string `json:"name"`
	}
	type v2 struct {
		Name  string            `json:"name"`
		Theme string            `json:"theme,omitempty"`
		Prefs map[string]string `json:"prefs,omitempty"`
		Odd   refusesNull       `json:"odd"`
	}
	for _, format := range formats {
		ring := newRing(t)
		old, new := stageOver[v1](t, ring, signet.Config{Format: format}), stageOver[v2](t, ring, signet.Config{Format: format})
		b := newBrowser(t)
		new.with(b, func(s *signet.Session[v2]) {
			s.Data = v2{"ada", "dark", map[string]string{`quote"d`: "x", "é": "y"}, "1"}
		})
		w := old.with(b, func(s *signet.Session[v1]) { require.Equal(t, "ada", s.Data.Name) })
		require.Empty(t, w.Header()["Set-Cookie"], "a read by the old program writes nothing")
		old.with(b, func(s *signet.Session[v1]) { s.Data.Name = "grace" })
		require.Equal(t, v2{"grace", "dark", map[string]string{`quote"d`: "x", "é": "y"}, "1"}, new.load(b).Data)
		old.with(b, func(s *signet.Session[v1]) { s.Renew() })
		require.Equal(t, "dark", new.load(b).Data.Theme, "Renew keeps them too")
		new.with(b, func(s *signet.Session[v2]) { s.Data.Theme, s.Data.Odd = "", "2" })
		require.Equal(t, v2{"grace", "", map[string]string{`quote"d`: "x", "é": "y"}, "2"}, new.load(b).Data, "what a program knows it can clear")
	}
}

// refusesNull is a field type whose own decoder takes no null.
type refusesNull string

func (n *refusesNull) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return errors.New("null")
	}
	return json.Unmarshal(b, (*string)(n))
}

func TestASessionOfAnotherTypeIsNotOverwrittenWhileADeployMayRoll(t *testing.T) {
	type v1 struct{ Basket []string }
	type v2 struct{ Basket map[string]int }
	ring := newRing(t)
	old, new := stageOver[v1](t, ring, signet.Config{}), stageOver[v2](t, ring, signet.Config{})
	b := newBrowser(t)
	new.with(b, func(s *signet.Session[v2]) { s.Data.Basket = map[string]int{"pear": 2} })
	old.with(b, func(s *signet.Session[v1]) {
		require.True(t, s.IsNew())
		require.ErrorIs(t, s.Err(), signet.ErrInvalid)
		require.ErrorContains(t, s.Err(), "does not decode as signet_test.v1")
		s.Data.Basket = []string{"apple"}
	})
	require.Equal(t, map[string]int{"pear": 2}, new.load(b).Data.Basket)
	require.Equal(t, 1, old.seen.count("withheld"))

	old.now = old.now.Add(66 * time.Minute) // past propagation and skew it is no deploy any more
	ring.SetClock(func() time.Time { return old.now })
	old.with(b, func(s *signet.Session[v1]) { s.Data.Basket = []string{"apple"} })
	require.Equal(t, []string{"apple"}, old.load(b).Data.Basket)
}

// What an instance that lags may do: it must not overwrite the good cookie.
func TestWhatAnInstanceThatLagsMayDo(t *testing.T) {
	write := func(s *signet.Session[bag]) { s.Data["flash"] = "hello" }
	for _, row := range []struct {
		name     string
		sealed   time.Duration // on the other instance's clock
		sameKey  bool
		do       func(*signet.Session[bag])
		err      error
		withheld bool
		written  bool
	}{
		{"a key that is not known yet: an implicit save is withheld", 0, false, write, signet.ErrUnknownKey, true, false},
		{"also after the propagation and the skew", -65 * time.Minute, false, write, signet.ErrUnknownKey, true, false},
		{"a second later the key is really gone and the visitor is new", -65*time.Minute - time.Second, false, write, signet.ErrUnknownKey, false, true},
		{"a read alone counts nothing", 0, false, func(*signet.Session[bag]) {}, signet.ErrUnknownKey, false, false},
		{"Renew writes", 0, false, func(s *signet.Session[bag]) { s.Renew(); write(s) }, signet.ErrUnknownKey, false, true},
		{"Destroy clears", 0, false, func(s *signet.Session[bag]) { s.Destroy() }, signet.ErrUnknownKey, false, true},
		{"a token of the future: withheld", 6 * time.Minute, true, write, signet.ErrClockSkew, true, false},
		{"Renew writes there too", 6 * time.Minute, true, func(s *signet.Session[bag]) { s.Renew(); write(s) }, signet.ErrClockSkew, false, true},
	} {
		for _, format := range formats {
			t.Run(format.String()+": "+row.name, func(t *testing.T) {
				ring := newRing(t)
				theirs := ring
				if !row.sameKey {
					theirs = newRing(t)
				}
				ahead := stageOver[bag](t, theirs, signet.Config{Format: format})
				ahead.now = ahead.now.Add(row.sealed)
				b := newBrowser(t)
				ahead.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "good" })
				before := b.header()

				lags := stageOver[bag](t, ring, signet.Config{Format: format})
				w := lags.with(b, func(s *signet.Session[bag]) {
					require.True(t, s.IsNew())
					require.Equal(t, row.err, s.Err())
					row.do(s)
				})
				require.Equal(t, row.written, len(w.Header()["Set-Cookie"]) > 0)
				require.Equal(t, row.withheld, lags.seen.count("withheld") == 1)
				if !row.written {
					require.Equal(t, before, b.header())
				}
			})
		}
	}
}

func TestACrossSitePostDoesNotOverwriteTheSession(t *testing.T) {
	for _, row := range []struct {
		name, method, site string
		cookie             bool
		renew              bool
		written            bool
	}{
		{"another site's POST without a cookie is withheld", "POST", "cross-site", false, false, false},
		{"so are other unsafe methods", "DELETE", "cross-site", false, false, false},
		{"Renew writes: that is the log-in", "POST", "cross-site", false, true, true},
		{"with a cookie of ours it writes (SameSite=None)", "POST", "cross-site", true, false, true},
		{"a GET from another site writes: it carries Lax cookies", "GET", "cross-site", false, false, true},
		{"a POST of one's own site writes", "POST", "same-origin", false, false, true},
		{"a client that says nothing writes", "POST", "", false, false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage[bag](t, signet.Config{})
			r := httptest.NewRequest(row.method, "https://app.example/acs", nil)
			if row.site != "" {
				r.Header.Set("Sec-Fetch-Site", row.site)
			}
			if row.cookie {
				r.Header.Set("Cookie", one(t, s.Manager, "x"))
			}
			w := httptest.NewRecorder()
			s.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				x := s.Get(r.Context())
				if row.renew {
					x.Renew()
				}
				x.Data["flash"] = "y"
			})).ServeHTTP(w, r)
			require.Equal(t, row.written, len(w.Header()["Set-Cookie"]) == 1)
			require.Equal(t, !row.written, s.seen.count("withheld") == 1)
		})
	}
}

func TestWhatTheHeaderSaysToCaches(t *testing.T) {
	read := func(*signet.Session[bag]) {}
	write := func(s *signet.Session[bag]) { s.Data["v"] = "x" }
	const private = `private, no-cache="Set-Cookie"`
	for _, row := range []struct {
		name   string
		header http.Header
		do     func(*signet.Session[bag])
		cache  []string
		vary   []string
		warned bool
	}{
		{"reading", http.Header{}, read, []string{"private"}, []string{"Cookie"}, false},
		{"reading, the handler knows better", http.Header{"Cache-Control": {"public, max-age=5"}}, read, []string{"public, max-age=5"}, []string{"Cookie"}, false},
		{"reading, Vary is there", http.Header{"Vary": {"Accept, cookie"}}, read, []string{"private"}, []string{"Accept, cookie"}, false},
		{"reading, Vary is *", http.Header{"Vary": {"*"}}, read, []string{"private"}, []string{"*"}, false},
		{"reading, another Vary stays", http.Header{"Vary": {"Accept"}}, read, []string{"private"}, []string{"Accept", "Cookie"}, false},
		{"writing", http.Header{}, write, []string{private}, []string{"Cookie"}, false},
		{"writing, public is removed", http.Header{"Cache-Control": {"public, max-age=600"}}, write, []string{private + ", max-age=600"}, []string{"Cookie"}, true},
		{"writing, s-maxage is removed", http.Header{"Cache-Control": {"max-age=1", "S-MaxAge=600"}}, write, []string{private + ", max-age=1"}, []string{"Cookie"}, true},
		{"writing, no-store stays", http.Header{"Cache-Control": {"no-store"}}, write, []string{private + ", no-store"}, []string{"Cookie"}, false},
		{"writing, private is not doubled", http.Header{"Cache-Control": {"private, max-age=0"}}, write, []string{private + ", max-age=0"}, []string{"Cookie"}, false},
		{"writing, a field for a CDN alone is removed", http.Header{"Cdn-Cache-Control": {"max-age=600"}}, write, []string{private}, []string{"Cookie"}, true},
		{"writing, a vendor's own is removed", http.Header{"Surrogate-Control": {"max-age=600"}, "Vercel-Cdn-Cache-Control": {"max-age=1"}}, write, []string{private}, []string{"Cookie"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, b := newStage[bag](t, signet.Config{}), newBrowser(t)
			w := b.visit(s, func(w http.ResponseWriter, r *http.Request) {
				row.do(s.Get(r.Context()))
				for name, values := range row.header { // after Get: it is merged at save time
					w.Header()[name] = values
				}
			})
			require.Equal(t, row.cache, w.Header()["Cache-Control"])
			require.Equal(t, row.vary, w.Header()["Vary"])
			for _, gone := range []string{"Cdn-Cache-Control", "Surrogate-Control", "Vercel-Cdn-Cache-Control"} {
				require.Empty(t, w.Header()[gone])
			}
			require.Equal(t, row.warned, s.seen.count("made-private") == 1)
		})
	}
	s := newStage[bag](t, signet.Config{DangerouslyAllowSharedCaching: true})
	w := newBrowser(t).visit(s, func(w http.ResponseWriter, r *http.Request) {
		s.Get(r.Context()).Data["v"] = "x"
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("CDN-Cache-Control", "max-age=600")
	})
	require.Equal(t, "public, max-age=600", w.Header().Get("Cache-Control"))
	require.Equal(t, "max-age=600", w.Header().Get("CDN-Cache-Control"))
}

func TestWarningsAreGivenOnceAndNameTheCure(t *testing.T) {
	for _, row := range []struct {
		name, url string
		data      string
		forwarded bool
		want      string
	}{
		{"a large response names nginx and its setting", "https://app.example/", noise(4200), false, "proxy_buffer_size to 16k"},
		{"plain HTTP on localhost names Safari", "http://localhost:8080/", "x", false, "Safari drops it"},
		{"so does 127.0.0.1", "http://127.0.0.1/", "x", false, "Safari drops it"},
		{"so does a name below localhost", "http://shop.localhost:80/", "x", false, "Safari drops it"},
		{"behind a proxy on the same machine nothing is said", "http://localhost:8080/", "x", true, ""},
		{"behind a proxy elsewhere nothing is said", "http://app.example/", "x", false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var log strings.Builder
			m := newManager(t, signet.Config{Logger: textLogger(&log)})
			for range 3 {
				r := httptest.NewRequest("GET", row.url, nil)
				if row.forwarded {
					r.Header.Set("X-Forwarded-Proto", "https")
				}
				m.Handler(put(m, "v", row.data)).ServeHTTP(httptest.NewRecorder(), r)
			}
			if row.want == "" {
				require.Empty(t, log.String())
				return
			}
			require.Equal(t, 1, strings.Count(log.String(), row.want), log.String())
		})
	}
}

func TestTheEndOfAKeyEndsItsSessionsAndIsCounted(t *testing.T) {
	text, err := newRing(t).SecretJWKS()
	require.NoError(t, err)
	soon := time.Unix(1_800_000_000, 0).Add(time.Hour)
	ring, err := signet.ParseKeyring([]byte(strings.Replace(string(text), `"nbf":`, fmt.Sprintf(`"exp": %d, "nbf":`, soon.Unix()), 1)))
	require.NoError(t, err)
	s, b := stageOver[bag](t, ring, signet.Config{}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
	require.Equal(t, soon.UTC(), s.load(b).Expires())
	require.Equal(t, 1, s.seen.count("clamped"))
	s.now = soon
	require.Equal(t, signet.ErrExpired, s.load(b).Err())
}

func TestTheObserverIsTold(t *testing.T) {
	s, b := newStage[bag](t, signet.Config{}), newBrowser(t)
	s.with(b, func(s *signet.Session[bag]) { s.Data["v"] = "x" })
	s.load(b)
	b.jar["__Host-Http-session"] += "A"
	s.load(b)
	key := s.ring.Keys()[0].ID
	require.Equal(t, []signet.Event{
		{Kind: "sealed", KeyID: key, Bytes: len(b.header()) - 1, Chunks: 1},
		{Kind: "opened", KeyID: key},
		{Kind: "failed", Err: signet.ErrInvalid},
	}, s.seen.all)
}

func TestChaChaKeysUnderEnforcedFIPSAreRefusedAtConstruction(t *testing.T) {
	for _, row := range []struct {
		name    string
		cfg     signet.Config
		refused bool
	}{
		{"compact sessions", signet.Config{}, true},
		{"JWE sessions seal with AES", signet.Config{Format: signet.JWE}, false},
		{"but their idle clock is compact", signet.Config{Format: signet.JWE, IdleTimeout: time.Hour}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := signet.New[bag](chachaRing(t), row.cfg)
			if fipsOnly() && row.refused {
				require.ErrorContains(t, err, "cannot be used under GODEBUG=fips140=only; make one of alg signet-v1")
				return
			}
			require.NoError(t, err)
		})
	}
}
