package auth0_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/auth0"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/jwedir"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

const secret = "test-only-eoidc-secret"

var now = time.Unix(1790000000, 0)

func express(t testing.TB, cfg auth0.Config) *auth0.Cookies {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{secret}
	}
	c, err := auth0.New(cfg)
	require.NoError(t, err)
	return c
}

// fromExpress is the configuration that a vector was made with.
func fromExpress(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Name     string `json:"cookie_name"`
		Rolling  bool   `json:"rolling"`
		Duration any    `json:"rollingDuration"`
		Absolute int    `json:"absoluteDuration"`
	}](t, v.Options)
	cfg := auth0.Config{
		Secrets: vectors.Decode[[]string](t, v.Secrets), Name: options.Name, NotRolling: !options.Rolling,
		AbsoluteDuration: time.Duration(options.Absolute) * time.Second, DangerouslyAllowHTTP: true,
	}
	if seconds, ok := options.Duration.(float64); ok {
		cfg.RollingDuration = time.Duration(seconds) * time.Second
	}
	return express(t, cfg)
}

func expressVector(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "express-openid-connect"), name)
}

// sealed is a token of any header and payload under the key of a secret, as a cookie.
func sealed(t *testing.T, name, secret, header, payload string) []*http.Cookie {
	t.Helper()
	raw, err := jwedir.Derive(secret, "", "JWE CEK", jwedir.GCMKey)
	require.NoError(t, err)
	k, err := jwedir.NewGCM(raw)
	require.NoError(t, err)
	return vectors.Cookies(name, k.Seal(header, []byte(payload)))
}

func TestExpressVectorsOfTheRealPackage(t *testing.T) {
	vectors.Run(t, vectors.Load(t, "express-openid-connect"), fromExpress)
}

func TestAnExpressVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode", "chunked", "custom-name", "rotated-old", "not-rolling"} {
		t.Run(name, func(t *testing.T) {
			v := expressVector(t, name)
			vectors.MovesIn(t, fromExpress(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadExpressCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"expired": signet.ErrExpired, "shorter-rule-now": signet.ErrExpired, "wrong-secret": signet.ErrInvalid,
		"tampered-header": signet.ErrInvalid, "wrong-name": http.ErrNoCookie,
	} {
		t.Run(name, func(t *testing.T) {
			v := expressVector(t, name)
			vectors.IsNew(t, fromExpress(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("without its first chunk it is torn", func(t *testing.T) {
		v := expressVector(t, "chunked")
		delete(v.Cookies, "appSession.0")
		vectors.IsNew(t, fromExpress(t, v), v.Request(), v.Time(), signet.ErrTorn)
	})
}

func TestNoChangeOfAnExpressCookieChangesTheSession(t *testing.T) {
	for _, name := range []string{"plain", "chunked"} {
		v := expressVector(t, name)
		vectors.Attack(t, fromExpress(t, v), v.Request(), v.Time())
	}
}

func TestTheChunkThatTheLibraryLeavesBehindDoesNoHarm(t *testing.T) {
	v := expressVector(t, "chunked")
	f, err := fromExpress(t, v).Open(append(v.Request(), vectors.Cookies("appSession.2", "stale")...), v.Time())
	require.NoError(t, err)
	require.Len(t, f.Cookies, 3, "and it is expired with the others")
}

func TestAuthenticTokensThatTheLibraryNeverWrites(t *testing.T) {
	c := express(t, auth0.Config{})
	const good, payload = `{"alg":"dir","enc":"A256GCM","iat":1790000000,"uat":1790000000,"exp":1790000100}`, `{"a":1}`
	_, err := c.Open(sealed(t, "appSession", secret, good, payload), now)
	require.NoError(t, err)
	for name, row := range map[string][2]string{
		"without exp":              {`{"alg":"dir","enc":"A256GCM","iat":1790000000,"uat":1790000000}`, payload},
		"without uat":              {`{"alg":"dir","enc":"A256GCM","iat":1790000000,"exp":1790000100}`, payload},
		"with a second exp":        {strings.Replace(good, `}`, `,"exp":1990000100}`, 1), payload},
		"with zip":                 {strings.Replace(good, `}`, `,"zip":"DEF"}`, 1), payload},
		"with an exp of 13 digits": {strings.Replace(good, "1790000100", "1790000100000", 1), payload},
		"with a negative iat":      {strings.Replace(good, `"iat":1`, `"iat":-1`, 1), payload},
		"with blanks":              {strings.Replace(good, `,`, `, `, 1), payload},
		"an empty session":         {good, `{}`},
		"an array":                 {good, `[1]`},
		"no JSON":                  {good, `x`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open(sealed(t, "appSession", secret, row[0], row[1]), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
	t.Run("the end that the identity provider asked for counts, less 30 seconds", func(t *testing.T) {
		cookies := sealed(t, "appSession", secret, good, `{"sessionExpiresAt":1790000090}`)
		_, err := c.Open(cookies, now.Add(59*time.Second))
		require.NoError(t, err)
		_, err = c.Open(cookies, now.Add(60*time.Second))
		require.ErrorIs(t, err, signet.ErrExpired)
	})
}

func TestExpressSealRoundTrips(t *testing.T) {
	vectors.RoundTrips(t, express(t, auth0.Config{}), now, json.RawMessage(`{"b":"`+strings.Repeat("x", 10000)+`"}`))
}

func TestExpressSealWritesWhatTheLibraryWrites(t *testing.T) {
	c := express(t, auth0.Config{DangerouslyAllowHTTP: true})
	set, err := c.Seal(json.RawMessage(`{"id_token":"x"}`), now)
	require.NoError(t, err)
	require.Equal(t, "appSession="+set[0].Value+"; Path=/; Expires=Tue, 22 Sep 2026 14:13:20 GMT; HttpOnly; SameSite=Lax", set[0].String())
	v := expressVector(t, "plain")
	require.Equal(t, strings.Split(v.Cookies["appSession"], ".")[0], strings.Split(set[0].Value, ".")[0], "the header with its times")

	set, err = c.Seal(json.RawMessage(`{"b":"`+strings.Repeat("x", 4000)+`"}`), now)
	require.NoError(t, err)
	require.Len(t, set[0].Value, len(expressVector(t, "chunked").Cookies["appSession.0"]), "chunks are cut where the library cuts them")

	set, err = express(t, auth0.Config{Transient: true}).Seal(json.RawMessage(`{"a":1}`), now)
	require.NoError(t, err)
	require.True(t, set[0].Expires.IsZero())
}

func TestAnExpressSessionKeepsItsBeginning(t *testing.T) {
	c := express(t, auth0.Config{})
	held, err := c.Seal(json.RawMessage(`{"a":1}`), now)
	require.NoError(t, err)
	at := now
	for range 7 {
		at = at.Add(23 * time.Hour)
		held, err = c.Update(held, json.RawMessage(`{"a":2}`), at)
		require.NoError(t, err)
		f, err := c.Open(held, at)
		require.NoError(t, err)
		require.Equal(t, now, f.Issued)
		require.False(t, held[0].Expires.After(now.Add(7*24*time.Hour)), "the cookie's own end")
		require.False(t, f.Expires.After(now.Add(7*24*time.Hour)))
	}
	_, err = c.Open(held, now.Add(7*24*time.Hour))
	require.ErrorIs(t, err, signet.ErrExpired)
}

func TestExpressUpdateLeavesNoStaleCookieBehind(t *testing.T) {
	c := express(t, auth0.Config{})
	var held []*http.Cookie
	for _, size := range []int{10, 9000, 4000, 10, 9000, 4000} {
		set, err := c.Update(held, json.RawMessage(`{"b":"`+strings.Repeat("x", size)+`"}`), now)
		require.NoError(t, err)
		held = vectors.Browser(held, set)
		require.Len(t, held, map[int]int{10: 1, 4000: 2, 9000: 4}[size])
	}
	require.Empty(t, vectors.Browser(held, c.Clear(held)))
}

func TestExpressSealRefuses(t *testing.T) {
	c := express(t, auth0.Config{})
	for claims, want := range map[string]string{
		`[]`: "not a JSON object",
		`{}`: "use Clear",
		`{"blob":"` + strings.Repeat("x", 13000) + `"}`: "blob (13002)",
		`{"sessionExpiresAt":1789999999}`:               "ended before",
	} {
		_, err := c.Seal(json.RawMessage(claims), now)
		require.ErrorContains(t, err, want)
	}
}

func TestNew(t *testing.T) {
	for want, cfg := range map[string]auth0.Config{
		"0 Secrets":                   {},
		"Secrets[0] has fewer than 8": {Secrets: []string{"short"}},
		"a session without an end":    {Secrets: []string{secret}, NotRolling: true, NoAbsoluteDuration: true},
		"of no use with NotRolling":   {Secrets: []string{secret}, NotRolling: true, RollingDuration: time.Hour},
		"AbsoluteDuration -1s":        {Secrets: []string{secret}, AbsoluteDuration: -time.Second},
		"cannot be a cookie's name":   {Secrets: []string{secret}, Name: "a=b"},
		"no Domain and no Path but /": {Secrets: []string{secret}, Name: "__Host-a", Domain: "a.test"},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := auth0.New(cfg)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), secret)
		})
	}
	t.Run("a short secret is refused under fips140=only", func(t *testing.T) {
		_, err := auth0.New(auth0.Config{Secrets: []string{"12345678"}})
		if fips.Only() {
			require.ErrorContains(t, err, "fewer than 14 bytes")
		} else {
			require.NoError(t, err)
		}
	})
}

func TestARequestCostsLittle(t *testing.T) {
	vectors.Bounded(t, express(t, auth0.Config{}), expressVector(t, "plain").Request(), now)
	vectors.Bounded(t, nextJS(t, auth0.NextJSConfig{}), nextVector(t, "plain").Request(), now)
}

func TestTheyPrintNoSecret(t *testing.T) {
	derived, err := jwedir.Derive(secret, "", "JWE CEK", jwedir.GCMKey)
	require.NoError(t, err)
	for _, c := range []any{express(t, auth0.Config{}), nextJS(t, auth0.NextJSConfig{Secrets: []string{secret}})} {
		vectors.PrintsNothing(t, c, secret, string(derived), base64.StdEncoding.EncodeToString(derived))
	}
}

func FuzzOpen(f *testing.F) {
	vectors.Fuzz(f, express(f, auth0.Config{DangerouslyAllowHTTP: true}), now, vectors.Load(f, "express-openid-connect"))
}
