package js_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/auth0"
	"github.com/signet-go/signet/compat/authjs"
	"github.com/signet-go/signet/compat/cookiesession"
	"github.com/signet-go/signet/compat/h3"
	"github.com/signet-go/signet/compat/ironsession"
	"github.com/signet-go/signet/compat/remix"
	"github.com/signet-go/signet/interop/internal/real"
	"github.com/signet-go/signet/interop/moving/internal/migrate"
	"github.com/stretchr/testify/require"
)

// dangerous writes the two formats that are signed only.
type dangerous struct {
	signet.ForeignFormat
	seal  func(json.RawMessage, time.Time) ([]*http.Cookie, error)
	clear func([]*http.Cookie) []*http.Cookie
}

func (d dangerous) Update(_ []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return d.seal(claims, now)
}

func (d dangerous) Clear(cookies []*http.Cookie) []*http.Cookie { return d.clear(cookies) }

// Whatever is written here the original reads as the same session, and the other way round: random sessions of
// every kind of JSON, a hundred each way.
func TestRandomSessionsBothWays(t *testing.T) {
	one := secrets[:1]
	rows := map[string]struct {
		app    string
		args   []string
		format func() (migrate.Writer, error)
	}{
		"iron-session": {app: "iron-session", format: func() (migrate.Writer, error) {
			return ironsession.New(ironsession.Config{Passwords: passwords(one), CookieName: "app_session", Chunk: true})
		}},
		"@hapi/iron": {app: "hapi-iron", format: func() (migrate.Writer, error) {
			return ironsession.New(ironsession.Config{Passwords: passwords(one), CookieName: "sid", HapiIron: true})
		}},
		"h3": {app: "h3", format: func() (migrate.Writer, error) {
			return h3.New(h3.Config{Passwords: one, Name: "nuxt-session", MaxAge: time.Hour})
		}},
		"Auth.js 5":   {app: "auth-core", format: func() (migrate.Writer, error) { return authjs.New(authjs.Config{Secrets: one}) }},
		"next-auth 4": {app: "next-auth", format: func() (migrate.Writer, error) { return authjs.New(authjs.Config{Secrets: one, V4: true}) }},
		"express-openid-connect": {app: "express-openid-connect", format: func() (migrate.Writer, error) {
			return auth0.New(auth0.Config{Secrets: one})
		}},
		"nextjs-auth0": {app: "nextjs-auth0", format: func() (migrate.Writer, error) {
			c, err := auth0.NewNextJS(auth0.NextJSConfig{Secrets: one})
			return userClaims{c}, err
		}},
		"@fastify/secure-session": {app: "fastify", format: func() (migrate.Writer, error) { return fastifyFormat(t, fastifyKeys[:1]) }},
		"cookie-session": {app: "cookie-session", format: func() (migrate.Writer, error) {
			c, err := cookiesession.New(cookiesession.Config{Keys: one, AcceptUntil: time.Now().Add(time.Hour)})
			return dangerous{c, c.DangerouslySeal, c.Clear}, err
		}},
		"Remix 2":        {app: "remix", format: remixFormat},
		"React Router 7": {app: "remix", args: []string{"react-router"}, format: remixFormat},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			format, err := row.format()
			require.NoError(t, err)
			address, keys := real.FreeAddress(t), one
			if row.app == "fastify" {
				keys = fastifyKeys[:1]
			}
			node(row.app, row.args...)(t, address, keys).Dial(t, "tcp", address)
			old := original{t, "http://" + address + "/old/"}
			random := rand.New(rand.NewPCG(17, 4))
			for i := range 100 {
				claims := migrate.RandomObject(random, 3)
				set, err := format.Update(nil, claims, time.Now())
				require.NoError(t, err)
				held := browser(nil, set)
				same(t, i, claims, old.get(held))

				claims = migrate.RandomObject(random, 3)
				held = browser(nil, old.set(claims))
				f, err := format.Open(held, time.Now())
				require.NoError(t, err, "session %d: %s", i, claims)
				same(t, i, claims, f.Claims)
			}
		})
	}
}

func remixFormat() (migrate.Writer, error) {
	c, err := remix.New(remix.Config{Secrets: secrets[:1], AcceptUntil: time.Now().Add(time.Hour)})
	return dangerous{c, c.DangerouslySeal, c.Clear}, err
}

// original is one of the applications, without a proxy.
type original struct {
	t    *testing.T
	root string
}

func (o original) call(method, path string, held []*http.Cookie, body []byte) (*http.Response, []byte) {
	r, err := http.NewRequest(method, o.root+path, bytes.NewReader(body))
	require.NoError(o.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-Proto", "https")
	for _, c := range held {
		r.AddCookie(c)
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(o.t, err)
	answer, err := io.ReadAll(res.Body)
	require.NoError(o.t, err)
	require.NoError(o.t, res.Body.Close())
	require.Equal(o.t, http.StatusOK, res.StatusCode, "%s", answer)
	return res, answer
}

func (o original) get(held []*http.Cookie) []byte {
	_, answer := o.call(http.MethodGet, "get", held, nil)
	return answer
}

func (o original) set(claims []byte) []*http.Cookie {
	res, _ := o.call(http.MethodPost, "set", nil, claims)
	return res.Cookies()
}

// browser is what a browser that held some holds after these were set.
func browser(held, set []*http.Cookie) []*http.Cookie {
	values := map[string]string{}
	for _, c := range append(held, set...) {
		values[c.Name] = c.Value
		if c.MaxAge < 0 || c.Value == "" {
			delete(values, c.Name)
		}
	}
	var all []*http.Cookie
	for name, value := range values {
		all = append(all, &http.Cookie{Name: name, Value: value})
	}
	return all
}

// same requires every member of want in got.
func same(t *testing.T, i int, want, got []byte) {
	t.Helper()
	var a, b map[string]any
	require.NoError(t, json.Unmarshal(want, &a))
	require.NoError(t, json.Unmarshal(got, &b), "%s", got)
	for name, value := range a {
		require.Equal(t, value, b[name], "session %d, member %q of %s", i, name, want)
	}
}
