package h3_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/h3"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/iron"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

const password = "test-only-h3-password-of-32-chars"

var now = time.Unix(1790000000, 0)

func open(t testing.TB, cfg h3.Config) *h3.Cookies {
	t.Helper()
	if fips.Only() {
		t.Skip("the format cannot work under fips140=only, which TestNew shows")
	}
	if cfg.Passwords == nil {
		cfg.Passwords = []string{password}
	}
	if cfg.MaxAge == 0 && cfg.AcceptUntil.IsZero() {
		cfg.AcceptUntil = now.AddDate(40, 0, 0)
	}
	c, err := h3.New(cfg)
	require.NoError(t, err)
	return c
}

// from is the configuration that a vector was made with.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Name   string `json:"cookie_name"`
		MaxAge int    `json:"max_age"`
	}](t, v.Options)
	return open(t, h3.Config{
		Passwords: vectors.Decode[[]string](t, v.Secrets), Name: options.Name, MaxAge: time.Duration(options.MaxAge) * time.Second,
	})
}

func named(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "h3"), name)
}

func TestVectorsOfTheRealPackage(t *testing.T) { vectors.Run(t, vectors.Load(t, "h3"), from) }

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode", "max-age", "nuxt-session-name"} {
		t.Run(name, func(t *testing.T) {
			v := named(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"expired": signet.ErrExpired, "max-age-added-later": signet.ErrExpired,
		"wrong-password": signet.ErrInvalid, "tampered": signet.ErrInvalid, "wrong-name": http.ErrNoCookie,
	} {
		t.Run(name, func(t *testing.T) {
			v := named(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("a session without an end is refused from AcceptUntil on", func(t *testing.T) {
		v := named(t, "plain")
		vectors.MovesIn(t, open(t, h3.Config{AcceptUntil: now.Add(time.Second)}), v.Request(), now)
		vectors.IsNew(t, open(t, h3.Config{AcceptUntil: now}), v.Request(), now, signet.ErrExpired)
	})
	t.Run("a seal that names a password id is not h3's", func(t *testing.T) {
		seal, err := iron.Seal([]byte(`{"id":"a","createdAt":1790000000000,"data":{}}`), "1", password, now.Add(time.Hour))
		if fips.Only() {
			t.Skip("no seals under fips140=only")
		}
		require.NoError(t, err)
		_, err = open(t, h3.Config{}).Open(vectors.Cookies("h3", seal), now)
		require.ErrorIs(t, err, signet.ErrUnknownKey)
	})
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	v := named(t, "plain")
	vectors.Attack(t, from(t, v), v.Request(), v.Time())
}

func TestAnAuthenticPayloadOfAnotherShapeIsRefused(t *testing.T) {
	c := open(t, h3.Config{MaxAge: time.Hour})
	for name, payload := range map[string]string{
		"without createdAt":        `{"id":"a","data":{}}`,
		"with a createdAt of text": `{"id":"a","createdAt":"1790000000000","data":{}}`,
		"without id":               `{"createdAt":1790000000000,"data":{}}`,
		"without data":             `{"id":"a","createdAt":1790000000000}`,
		"with data that is a list": `{"id":"a","createdAt":1790000000000,"data":[]}`,
		"an array":                 `[]`,
		"no JSON":                  `{`,
	} {
		t.Run(name, func(t *testing.T) {
			seal, err := iron.Seal([]byte(payload), "", password, now.Add(time.Hour))
			require.NoError(t, err)
			_, err = c.Open(vectors.Cookies("h3", seal), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
}

func TestSealRoundTrips(t *testing.T) {
	older := strings.Repeat("o", 32)
	vectors.RoundTrips(t, open(t, h3.Config{Passwords: []string{password, older}}), now)
	t.Run("and a cookie of the older password opens", func(t *testing.T) {
		set, err := open(t, h3.Config{Passwords: []string{older}}).Seal(json.RawMessage(`{"a":1}`), now)
		require.NoError(t, err)
		f, err := open(t, h3.Config{Passwords: []string{password, older}}).Open(vectors.Browser(nil, set), now)
		require.NoError(t, err)
		require.Equal(t, 1, f.KeyIndex)
	})
}

func TestASessionKeepsItsIDAndAge(t *testing.T) {
	c := open(t, h3.Config{MaxAge: time.Hour})
	first, err := c.Seal(json.RawMessage(`{"a":1}`), now)
	require.NoError(t, err)
	require.Equal(t, "h3="+first[0].Value+"; Path=/; Expires=Mon, 21 Sep 2026 15:13:20 GMT; HttpOnly; Secure", first[0].String())

	later := now.Add(50 * time.Minute)
	second, err := c.Update(first, json.RawMessage(`{"a":2}`), later)
	require.NoError(t, err)
	require.Equal(t, first[0].Expires, second[0].Expires)
	f, err := c.Open(second, later)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":2}`, string(f.Claims))
	require.Equal(t, now, f.Issued)
	require.Equal(t, now.Add(time.Hour+time.Millisecond), f.Expires)
	require.Equal(t, payload(t, first[0].Value)["id"], payload(t, second[0].Value)["id"])
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4`, payload(t, first[0].Value)["id"])

	_, err = c.Open(second, now.Add(time.Hour+time.Millisecond))
	require.ErrorIs(t, err, signet.ErrExpired)
}

func payload(t *testing.T, seal string) map[string]any {
	o, err := iron.Open(seal, now, func(string) []iron.Password { return []iron.Password{{Secret: password}} })
	require.NoError(t, err)
	return vectors.Decode[map[string]any](t, o.Payload)
}

func TestSealRefuses(t *testing.T) {
	c := open(t, h3.Config{})
	_, err := c.Seal(json.RawMessage(`[]`), now)
	require.ErrorContains(t, err, "not a JSON object")
	_, err = c.Seal(json.RawMessage(`{"blob":"`+strings.Repeat("x", 4000)+`"}`), now)
	require.ErrorContains(t, err, "blob (4002)")
}

func TestNew(t *testing.T) {
	if fips.Only() {
		_, err := h3.New(h3.Config{Passwords: []string{password}, MaxAge: time.Hour})
		require.ErrorContains(t, err, "fips140=only")
		return
	}
	for want, cfg := range map[string]h3.Config{
		"0 Passwords":               {MaxAge: time.Hour},
		"Passwords[0] has fewer":    {MaxAge: time.Hour, Passwords: []string{"short"}},
		"without MaxAge a session":  {Passwords: []string{password}},
		"MaxAge -1s":                {Passwords: []string{password}, MaxAge: -time.Second},
		"cannot be a cookie's name": {Passwords: []string{password}, MaxAge: time.Hour, Name: "a;b"},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := h3.New(cfg)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), password)
		})
	}
}

func TestARequestCostsLittle(t *testing.T) {
	vectors.Bounded(t, open(t, h3.Config{}), named(t, "plain").Request(), now)
}

func TestItPrintsNoPassword(t *testing.T) {
	vectors.PrintsNothing(t, open(t, h3.Config{}), password)
}

func FuzzOpen(f *testing.F) {
	if fips.Only() {
		f.Skip("the format cannot work under fips140=only")
	}
	vectors.Fuzz(f, open(f, h3.Config{}), now, vectors.Load(f, "h3"))
}
