package signet_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/flask"
	"github.com/stretchr/testify/require"
)

// old is a Flask application whose cookie has that name. Its digest is one that works under fips140=only.
func old(t testing.TB, name string, change func(*flask.Config)) *flask.Cookies {
	t.Helper()
	cfg := flask.Config{
		SecretKey: "test-only-secret-of-" + name, SecretKeyFallbacks: []string{"test-only-secret-before"},
		SessionCookieName: name, Digest: "sha256",
	}
	if change != nil {
		change(&cfg)
	}
	c, err := flask.New(cfg)
	require.NoError(t, err)
	return c
}

func migrate(f signet.ForeignFormat) signet.Legacy {
	return signet.Migrate(f, func(f *signet.Foreign) (data bag, err error) {
		return data, json.Unmarshal(f.Claims, &data)
	})
}

// logIn is what the old application answers to a log-in at that time.
func logIn(t testing.TB, b *browser, c *flask.Cookies, user string, at time.Time) {
	t.Helper()
	set, err := c.Seal(json.RawMessage(`{"user":"`+user+`"}`), at)
	require.NoError(t, err)
	b.take([]string{set[0].String()})
}

func user(s *stage[bag], b *browser) (name string) {
	s.with(b, func(x *signet.Session[bag]) { name = x.Data["user"] })
	return name
}

func TestAForeignSessionIsHandedOver(t *testing.T) {
	c := old(t, "session", func(cfg *flask.Config) { cfg.SessionCookieDomain, cfg.SessionCookiePath = "example.com", "/app" })
	s := newStage[bag](t, signet.Config{Lifetime: 24 * time.Hour, Legacy: []signet.Legacy{migrate(c)}})
	b := newBrowser(t)
	logIn(t, b, c, "ada", s.now.Add(-time.Hour))
	w := s.with(b, func(x *signet.Session[bag]) {
		require.False(t, x.IsNew())
		require.NoError(t, x.Err())
		require.Equal(t, "ada", x.Data["user"])
		require.Equal(t, s.now.Add(-time.Hour-5*time.Second).Unix(), x.Created().Unix(), "the age that the old cookie proves")
		require.Equal(t, s.now.Add(24*time.Hour).Unix(), x.Expires().Unix())
	})
	lines := w.Header()["Set-Cookie"]
	require.Len(t, lines, 2)
	require.True(t, strings.HasPrefix(lines[0], "__Host-Http-session="))
	require.Equal(t, "session=; Path=/app; Domain=example.com; Max-Age=0; HttpOnly", lines[1])
	require.Equal(t, []string{"migrated", "sealed"}, s.seen.kinds())
	require.Equal(t, "0", s.seen.all[0].KeyID)
	require.Equal(t, "ada", user(s, b))
	require.Equal(t, 1, s.seen.count("migrated"), "it is ours from now on")

	t.Run("and ends with the old session, if that is sooner", func(t *testing.T) {
		b := newBrowser(t)
		logIn(t, b, c, "ada", s.now.Add(-31*24*time.Hour+time.Hour))
		s.with(b, func(x *signet.Session[bag]) {
			require.LessOrEqual(t, x.Expires().Unix(), s.now.Add(time.Hour).Unix())
		})
	})
	t.Run("and says by which secret", func(t *testing.T) {
		before, err := flask.New(flask.Config{SecretKey: "test-only-secret-before", Digest: "sha256"})
		require.NoError(t, err)
		b := newBrowser(t)
		logIn(t, b, before, "ada", s.now)
		s.seen.all = nil
		require.Equal(t, "ada", user(s, b))
		require.Equal(t, "1", s.seen.all[0].KeyID)
	})
}

func TestWhichSessionCountsWhereThereAreSeveral(t *testing.T) {
	for _, row := range []struct {
		name    string
		carries string // the browser's cookies, oldest first
		want    string // who he is
		left    string // the cookies afterwards
	}{
		{"two old ones: the first of Config.Legacy, whatever the order of the cookies", "b a", "a", "b ours"},
		{"the first of Config.Legacy does not open: the next", "forged-a b", "b", "a ours"},
		{"ours and an old one: ours, and the old one is left alone", "a ours", "me", "a ours"},
		{"ours is expired: the old one", "expired a", "a", "ours"},
		{"ours is forged: the old one", "forged a", "a", "ours"},
		{"ours is of a key that may come: nobody, and nothing is written", "unknown a", "", "ours a"},
		{"ours is of a key that is gone for good: the old one", "long-unknown a", "a", "ours"},
		{"ours is stamped in the future: nobody, and nothing is written", "future a", "", "ours a"},
		{"none opens: nobody", "forged-a expired-b", "", "a b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, bb := old(t, "a", nil), old(t, "b", nil)
			s := newStage[bag](t, signet.Config{Lifetime: time.Hour, Legacy: []signet.Legacy{migrate(a), migrate(bb)}})
			b := newBrowser(t)
			ours := func(ring *signet.Keyring, by time.Duration) {
				other := stageOver[bag](t, ring, signet.Config{Lifetime: time.Hour})
				other.now = s.now.Add(by)
				other.with(b, func(x *signet.Session[bag]) { x.Data["user"] = "me" })
				s.ring.SetClock(func() time.Time { return s.now })
			}
			forge := func(name string) {
				v := b.jar[name]
				b.jar[name] = v[:len(v)-9] + "AAAAA" + v[len(v)-4:]
			}
			for _, c := range strings.Fields(row.carries) {
				switch c {
				case "a":
					logIn(t, b, a, "a", s.now)
				case "b":
					logIn(t, b, bb, "b", s.now)
				case "forged-a":
					logIn(t, b, a, "a", s.now)
					forge("a")
				case "expired-b":
					logIn(t, b, bb, "b", s.now.Add(-32*24*time.Hour))
				case "ours":
					ours(s.ring, 0)
				case "expired":
					ours(s.ring, -2*time.Hour)
				case "forged":
					ours(s.ring, 0)
					forge("__Host-Http-session")
				case "unknown":
					ours(newRing(t), 0)
				case "long-unknown":
					ours(newRing(t), -3*time.Hour)
				case "future":
					ours(s.ring, 6*time.Minute)
				}
			}
			require.Equal(t, row.want, user(s, b))
			var left []string
			for _, name := range b.order {
				left = append(left, strings.Replace(name, "__Host-Http-session", "ours", 1))
			}
			require.ElementsMatch(t, strings.Fields(row.left), left)
			require.Equal(t, row.want == "", s.seen.count("failed") == 1, "a reason is counted: %v", s.seen.kinds())
		})
	}
}

func TestDestroyEndsTheOldSessionsToo(t *testing.T) {
	for name, carries := range map[string]func(*testing.T, *stage[bag], *browser, ...*flask.Cookies){
		"of a visitor who comes with it": func(t *testing.T, s *stage[bag], b *browser, c ...*flask.Cookies) {
			logIn(t, b, c[0], "ada", s.now)
		},
		"of one who has a session of ours as well": func(t *testing.T, s *stage[bag], b *browser, c ...*flask.Cookies) {
			s.with(b, func(x *signet.Session[bag]) { x.Data["user"] = "me" })
			logIn(t, b, c[0], "ada", s.now)
		},
		"in every format": func(t *testing.T, s *stage[bag], b *browser, c ...*flask.Cookies) {
			logIn(t, b, c[0], "ada", s.now)
			logIn(t, b, c[1], "eve", s.now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, d := old(t, "session", nil), old(t, "d", nil)
			s := newStage[bag](t, signet.Config{Legacy: []signet.Legacy{migrate(c), migrate(d)}})
			b := newBrowser(t)
			carries(t, s, b, c, d)
			w := s.with(b, func(x *signet.Session[bag]) { x.Destroy() })
			require.Empty(t, b.jar)
			require.Len(t, unique(w.Header()["Set-Cookie"]), len(w.Header()["Set-Cookie"]), "no line twice")
			require.Empty(t, user(s, b))
		})
	}
}

func unique(lines []string) map[string]bool {
	set := map[string]bool{}
	for _, line := range lines {
		set[line] = true
	}
	return set
}

func TestTheOldCookieMayHaveTheNameOfOurs(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*flask.Config)
		want   []string // its Set-Cookie lines, without ours
	}{
		"with the same path and domain it is replaced": {nil, nil},
		"with another path it is expired as well":      {func(cfg *flask.Config) { cfg.SessionCookiePath = "/app" }, []string{"session=; Path=/app; Max-Age=0; HttpOnly"}},
		"so with a domain":                             {func(cfg *flask.Config) { cfg.SessionCookieDomain = "example.com" }, []string{"session=; Path=/; Domain=example.com; Max-Age=0; HttpOnly"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := old(t, "session", row.change)
			s := newStage[bag](t, signet.Config{Cookie: signet.Cookie{Name: "session"}, Legacy: []signet.Legacy{migrate(c)}})
			b := newBrowser(t)
			logIn(t, b, c, "ada", s.now)
			r := httptest.NewRequest("GET", "https://app.example/", nil)
			r.Header.Set("Cookie", b.header())
			w := httptest.NewRecorder()
			s.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				require.Equal(t, "ada", s.Get(r.Context()).Data["user"])
			})).ServeHTTP(w, r)
			lines := w.Header()["Set-Cookie"]
			require.NotContains(t, lines[0], "Max-Age=0")
			require.Equal(t, row.want, append([]string(nil), lines[1:]...))
			ours, _, _ := strings.Cut(lines[0], ";")
			require.Equal(t, "ada", seen(s.Manager, ours).Data["user"])
			// The other cookie comes first, as a browser sends the longer path; ours still opens.
			require.Equal(t, "ada", seen(s.Manager, b.header()+"; "+ours).Data["user"])

			t.Run("and a log-out leaves nothing", func(t *testing.T) {
				w := s.with(b, func(x *signet.Session[bag]) { x.Destroy() })
				require.Empty(t, b.jar)
				for _, line := range row.want {
					require.Contains(t, w.Header()["Set-Cookie"], line)
				}
			})
		})
	}
	t.Run("also if it looks like a token of ours under an unknown key", func(t *testing.T) {
		theirs := newStage[bag](t, signet.Config{Cookie: signet.Cookie{Name: "session"}})
		b := newBrowser(t)
		theirs.with(b, func(x *signet.Session[bag]) { x.Data["user"] = "x" })
		s := newStage[bag](t, signet.Config{Cookie: signet.Cookie{Name: "session"}, Legacy: []signet.Legacy{migrate(openFunc(
			func(cookies []*http.Cookie) (*signet.Foreign, error) {
				return &signet.Foreign{Claims: json.RawMessage(`{"user":"ada"}`), Cookies: []*http.Cookie{{Name: "session", Path: "/"}}}, nil
			}))}})
		require.Equal(t, "ada", user(s, b))
		require.Equal(t, "ada", seen(s.Manager, b.header()).Data["user"])
	})
}

// openFunc is a format of an application's own.
type openFunc func([]*http.Cookie) (*signet.Foreign, error)

func (f openFunc) Open(cookies []*http.Cookie, _ time.Time) (*signet.Foreign, error) {
	return f(cookies)
}

func TestAForeignSessionThatIsNotTaken(t *testing.T) {
	refused := errors.New("no such user")
	c := old(t, "session", nil)
	refuses := signet.Migrate(c, func(*signet.Foreign) (bag, error) { return nil, refused })
	for name, cfg := range map[string]signet.Config{
		"convert refuses it": {Legacy: []signet.Legacy{refuses}},
		"Validate refuses it": {Legacy: []signet.Legacy{migrate(c)},
			Validate: signet.Validate(func(*http.Request, *signet.Session[bag]) error { return refused })},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage[bag](t, cfg)
			b := newBrowser(t)
			logIn(t, b, c, "ada", s.now)
			before := b.header()
			s.with(b, func(x *signet.Session[bag]) {
				require.True(t, x.IsNew())
				require.Empty(t, x.Data)
				require.ErrorIs(t, x.Err(), refused)
			})
			require.Equal(t, before, b.header(), "the other framework may think otherwise")
			require.Equal(t, []string{"failed"}, s.seen.kinds())
		})
	}
	t.Run("another site's POST that carries only the old cookie does not overwrite ours", func(t *testing.T) {
		s := newStage[bag](t, signet.Config{Legacy: []signet.Legacy{migrate(c)}})
		b := newBrowser(t)
		logIn(t, b, c, "ada", s.now)
		r := httptest.NewRequest("POST", "https://app.example/", nil)
		r.Header.Set("Cookie", b.header())
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		s.Handler(put(s.Manager, "v", "x")).ServeHTTP(w, r)
		require.Empty(t, w.Header()["Set-Cookie"])
		require.Equal(t, 1, s.seen.count("withheld"))
	})
	t.Run("one stamped ahead of this clock is not hidden by a session of ours meanwhile", func(t *testing.T) {
		s := newStage[bag](t, signet.Config{Legacy: []signet.Legacy{migrate(c)}})
		b := newBrowser(t)
		logIn(t, b, c, "ada", s.now.Add(7*time.Second)) // stamped 2 s ahead
		s.with(b, func(x *signet.Session[bag]) {
			require.ErrorIs(t, x.Err(), signet.ErrClockSkew)
			x.Data["v"] = "x"
		})
		require.Equal(t, 1, s.seen.count("withheld"))
		s.now = s.now.Add(2 * time.Second)
		require.Equal(t, "ada", user(s, b))
	})
}

func TestALegacyForAnotherTypeIsRefused(t *testing.T) {
	_, err := signet.New[map[string]int](newRing(t), signet.Config{Legacy: []signet.Legacy{migrate(old(t, "a", nil))}})
	require.ErrorContains(t, err, "Config.Legacy[0] converts to signet_test.bag, but the sessions are map[string]int")
}
