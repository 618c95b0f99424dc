package auth0_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/auth0"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

const nextSecret = "test-only-0123456789abcdef0123456789abcdef0123456789abcdef"

func nextJS(t testing.TB, cfg auth0.NextJSConfig) *auth0.NextJSCookies {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{nextSecret}
	}
	c, err := auth0.NewNextJS(cfg)
	require.NoError(t, err)
	return c
}

// fromNextJS is the configuration that a vector was made with.
func fromNextJS(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Name string `json:"cookie_name"`
	}](t, v.Options)
	return nextJS(t, auth0.NextJSConfig{Secrets: vectors.Decode[[]string](t, v.Secrets), CookieName: options.Name})
}

func nextVector(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "nextjs-auth0"), name)
}

func TestNextJSVectorsOfTheRealPackage(t *testing.T) {
	vectors.Run(t, vectors.Load(t, "nextjs-auth0"), fromNextJS)
}

func TestANextJSVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode", "chunked", "custom-name", "version-3", "last-second"} {
		t.Run(name, func(t *testing.T) {
			v := nextVector(t, name)
			vectors.MovesIn(t, fromNextJS(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadNextJSCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"expired": signet.ErrExpired, "wrong-secret": signet.ErrInvalid, "tampered-iv": signet.ErrInvalid,
		"gap-in-chunks": signet.ErrTorn, "wrong-name": http.ErrNoCookie,
	} {
		t.Run(name, func(t *testing.T) {
			v := nextVector(t, name)
			vectors.IsNew(t, fromNextJS(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("a version 3 cookie ends when its header says, which nextjs-auth0 4 does not look at", func(t *testing.T) {
		v := nextVector(t, "version-3")
		vectors.IsNew(t, fromNextJS(t, v), v.Request(), now.Add(24*time.Hour), signet.ErrExpired)
	})
	t.Run("a cookie of express-openid-connect under the same secret has no user", func(t *testing.T) {
		set, err := express(t, auth0.Config{Secrets: []string{nextSecret}}).Seal(json.RawMessage(`{"id_token":"x"}`), now)
		require.NoError(t, err)
		vectors.IsNew(t, nextJS(t, auth0.NextJSConfig{}), set, now, signet.ErrInvalid)
	})
}

func TestNoChangeOfANextJSCookieChangesTheSession(t *testing.T) {
	for _, name := range []string{"plain", "chunked", "version-3"} {
		v := nextVector(t, name)
		vectors.Attack(t, fromNextJS(t, v), v.Request(), v.Time())
	}
}

func TestAuthenticTokensThatNextJSAuth0NeverWrites(t *testing.T) {
	const header = `{"enc":"A256GCM","alg":"dir"}`
	c := nextJS(t, auth0.NextJSConfig{})
	for name, row := range map[string]struct {
		header, claims string
		want           error
	}{
		"without exp, which is accepted for ever there": {header, `{"user":{}}`, signet.ErrInvalid},
		"without a user":                                    {header, `{"exp":1790000100}`, signet.ErrInvalid},
		"with a user that is a text":                        {header, `{"user":"a","exp":1790000100}`, signet.ErrInvalid},
		"with members of the header in another order":       {`{"alg":"dir","enc":"A256GCM"}`, `{"user":{},"exp":1790000100}`, signet.ErrInvalid},
		"past the end that the identity provider asked for": {header, `{"user":{},"internal":{"sessionExpiresAt":1790000030},"exp":1790000100}`, signet.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open(sealed(t, "__session", nextSecret, row.header, row.claims), now)
			require.ErrorIs(t, err, row.want)
		})
	}
}

// withUser gives claims what nextjs-auth0 needs.
type withUser struct{ *auth0.NextJSCookies }

func (w withUser) Update(cookies []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	rest := strings.TrimPrefix(strings.TrimSpace(string(claims)), "{")
	if rest != "}" {
		rest = "," + rest
	}
	return w.NextJSCookies.Update(cookies, json.RawMessage(`{"user":{"sub":"1"}`+rest), now)
}

func TestNextJSSealRoundTrips(t *testing.T) {
	vectors.RoundTrips(t, withUser{nextJS(t, auth0.NextJSConfig{})}, now, json.RawMessage(`{"b":"`+strings.Repeat("x", 9000)+`"}`))
}

func TestNextJSSealWritesWhatThePackageWrites(t *testing.T) {
	c := nextJS(t, auth0.NextJSConfig{})
	set, err := c.Seal(json.RawMessage(`{"user":{"sub":"1"},"exp":1,"connectionTokenSets":[]}`), now)
	require.NoError(t, err)
	require.Equal(t, "__session="+set[0].Value+"; Path=/; Expires=Tue, 22 Sep 2026 14:13:20 GMT; Max-Age=86400; HttpOnly; Secure; SameSite=Lax", set[0].String())
	require.Equal(t, strings.Split(nextVector(t, "plain").Cookies["__session"], ".")[0], strings.Split(set[0].Value, ".")[0])
	f, err := c.Open(vectors.Browser(nil, set), now)
	require.NoError(t, err)
	require.Regexp(t, `^\{"user":\{"sub":"1"\},"tokenSet":\{\},"internal":\{"createdAt":1790000000,"sid":"[0-9a-f-]{36}"\},"exp":1790086400\}$`, string(f.Claims))

	set, err = c.Seal(json.RawMessage(`{"user":{"b":"`+strings.Repeat("x", 4000)+`"}}`), now)
	require.NoError(t, err)
	require.Equal(t, "__session__0", set[0].Name)
	require.Len(t, set[0].Value, 3500)
}

func TestANextJSSessionKeepsItsBeginning(t *testing.T) {
	c := nextJS(t, auth0.NextJSConfig{})
	v := nextVector(t, "plain")
	at := now.Add(23 * time.Hour)
	set, err := c.Update(v.Request(), json.RawMessage(`{"user":{"sub":"2"}}`), at)
	require.NoError(t, err)
	f, err := c.Open(vectors.Browser(v.Request(), set), at)
	require.NoError(t, err)
	require.Contains(t, string(f.Claims), `"internal":{"sid":"sid-1","createdAt":1790000000}`)
	require.Equal(t, now, f.Issued)
	_, err = c.Update(nil, f.Claims, now.Add(72*time.Hour))
	require.ErrorIs(t, err, signet.ErrExpired)

	t.Run("unless it does not roll", func(t *testing.T) {
		set, err := nextJS(t, auth0.NextJSConfig{NotRolling: true}).Update(nil, f.Claims, now.Add(72*time.Hour))
		require.NoError(t, err)
		require.Equal(t, 72*3600, set[0].MaxAge)
	})
}

func TestVersion3BecomesVersion4(t *testing.T) {
	c := nextJS(t, auth0.NextJSConfig{})
	v := nextVector(t, "version-3")
	f, err := c.Open(v.Request(), v.Time())
	require.NoError(t, err)
	require.Equal(t, now, f.Issued)
	require.Len(t, f.Cookies, 1)
	both, err := c.Open(append(v.Request(), nextVector(t, "plain").Request()...), v.Time())
	require.NoError(t, err)
	require.Len(t, both.Cookies, 2, "beside one of version 4, which counts, it is expired as well")
	set, err := c.Update(v.Request(), f.Claims, v.Time())
	require.NoError(t, err)
	held := vectors.Browser(v.Request(), set)
	require.Len(t, held, 1)
	require.Equal(t, "__session", held[0].Name)
	again, err := c.Open(held, v.Time())
	require.NoError(t, err)
	vectors.Contains(t, again.Claims, f.Claims)
}

func TestNextJSUpdateLeavesNoStaleCookieBehind(t *testing.T) {
	c := nextJS(t, auth0.NextJSConfig{})
	held := vectors.Cookies("appSession", "old", "appSession.1", "old", "other", "stays")
	for _, size := range []int{10, 7000, 4000, 10, 7000, 4000} {
		set, err := c.Update(held, json.RawMessage(`{"user":{"b":"`+strings.Repeat("x", size)+`"}}`), now)
		require.NoError(t, err)
		held = vectors.Browser(held, set)
		require.Len(t, held, 1+map[int]int{10: 1, 4000: 2, 7000: 3}[size])
	}
	require.Len(t, vectors.Browser(held, c.Clear(held)), 1)
}

func TestNextJSSealRefuses(t *testing.T) {
	c := nextJS(t, auth0.NextJSConfig{})
	for claims, want := range map[string]string{
		`[]`:           "not a JSON object",
		`{"user":"a"}`: "no object user",
		`{"user":{"b":"` + strings.Repeat("x", 13000) + `"}}`: "user (13008)",
	} {
		_, err := c.Seal(json.RawMessage(claims), now)
		require.ErrorContains(t, err, want)
	}
}

func TestNewNextJS(t *testing.T) {
	_, err := auth0.NewNextJS(auth0.NextJSConfig{CookieName: "a b", InactivityDuration: -1, SameSite: 7})
	for _, want := range []string{"0 Secrets", "cannot be a cookie's name", "InactivityDuration -1ns", "SameSite must be"} {
		require.ErrorContains(t, err, want)
	}
}

func FuzzOpenNextJS(f *testing.F) {
	vectors.Fuzz(f, withUser{nextJS(f, auth0.NextJSConfig{})}, now, vectors.Load(f, "nextjs-auth0"))
}
