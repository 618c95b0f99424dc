package remix_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/signet-go/signet/compat/remix"
	"github.com/stretchr/testify/require"
)

const secret = "test-only-remix-1"

var now = time.Unix(1790000000, 0)

func open(t testing.TB, cfg remix.Config) *remix.Cookies {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{secret}
	}
	if cfg.AcceptUntil.IsZero() {
		cfg.AcceptUntil = now.Add(time.Hour)
	}
	c, err := remix.New(cfg)
	require.NoError(t, err)
	return c
}

// from is the configuration that a vector was made with.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Name string `json:"cookie_name"`
	}](t, v.Options)
	return open(t, remix.Config{Secrets: vectors.Decode[[]string](t, v.Secrets), Name: options.Name})
}

func named(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "remix"), name)
}

func TestVectorsOfTheRealPackages(t *testing.T) { vectors.Run(t, vectors.Load(t, "remix"), from) }

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode", "plain-react-router", "flash", "rotated-old", "renamed"} {
		t.Run(name, func(t *testing.T) {
			v := named(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"dropped-secret": signet.ErrInvalid, "tampered-value": signet.ErrInvalid,
		"no-signature": signet.ErrInvalid, "wrong-name": http.ErrNoCookie,
	} {
		t.Run(name, func(t *testing.T) {
			v := named(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("from AcceptUntil on an authentic one is expired", func(t *testing.T) {
		c := open(t, remix.Config{AcceptUntil: now})
		vectors.IsNew(t, c, named(t, "plain").Request(), now, signet.ErrExpired)
		vectors.IsNew(t, c, named(t, "tampered-value").Request(), now, signet.ErrInvalid)
	})
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	v := named(t, "plain")
	vectors.Attack(t, from(t, v), v.Request(), v.Time())
}

// signed is a cookie of any value under the secret.
func signed(value, padding string) []*http.Cookie {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(value))
	return vectors.Cookies("__session", url.QueryEscape(value+"."+base64.RawStdEncoding.EncodeToString(h.Sum(nil))+padding))
}

func TestASignedValueThatIsNoSessionIsRefused(t *testing.T) {
	encode := base64.StdEncoding.EncodeToString
	c := open(t, remix.Config{})
	_, err := c.Open(signed(encode([]byte(`{}`)), ""), now)
	require.NoError(t, err)
	for name, cookies := range map[string][]*http.Cookie{
		"an array":             signed(encode([]byte(`[1]`)), ""),
		"null":                 signed(encode([]byte(`null`)), ""),
		"no JSON":              signed(encode([]byte(`{`)), ""),
		"without padding":      signed(base64.RawStdEncoding.EncodeToString([]byte(`{"a":1}`)), ""),
		"nothing":              signed("", ""),
		"a padded signature":   signed(encode([]byte(`{}`)), "="),
		"no base64":            signed("{}", ""),
		"unused bits that are": signed("e31=", ""),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open(cookies, now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
}

// writer writes as the fuzz test and the round trips need it.
type writer struct{ *remix.Cookies }

func (w writer) Update(_ []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return w.DangerouslySeal(claims, now)
}

func TestDangerouslySealRoundTrips(t *testing.T) {
	vectors.RoundTrips(t, writer{open(t, remix.Config{Secrets: []string{secret, "test-only-remix-2"}})}, now)
}

func TestDangerouslySealWritesWhatThePackageWrites(t *testing.T) {
	c := open(t, remix.Config{})
	for _, name := range []string{"plain", "flash"} {
		v := named(t, name)
		set, err := c.DangerouslySeal(json.RawMessage(v.Text), now)
		require.NoError(t, err)
		require.Equal(t, "__session="+v.Cookies["__session"]+"; Path=/; HttpOnly; Secure; SameSite=Lax", set[0].String())
	}
	_, err := c.DangerouslySeal(json.RawMessage(`[]`), now)
	require.ErrorContains(t, err, "not a JSON object")
	_, err = c.DangerouslySeal(json.RawMessage(`{"blob":"`+strings.Repeat("x", 4000)+`"}`), now)
	require.ErrorContains(t, err, "blob (4002)")
}

func TestNew(t *testing.T) {
	_, err := remix.New(remix.Config{Name: "a b", Secrets: []string{secret, ""}})
	for _, want := range []string{"cannot be a cookie's name", "AcceptUntil is missing", "Secrets[1] is empty"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), secret)
	_, err = remix.New(remix.Config{AcceptUntil: now})
	require.ErrorContains(t, err, "0 Secrets")
	_, err = remix.New(remix.Config{AcceptUntil: now, Secrets: []string{"s3cr3t"}})
	if fips.Only() {
		require.ErrorContains(t, err, "fewer than 14 bytes")
	} else {
		require.NoError(t, err)
	}
}

func TestARequestCostsLittle(t *testing.T) {
	vectors.Bounded(t, open(t, remix.Config{}), named(t, "plain").Request(), now)
}

func TestItPrintsNoSecret(t *testing.T) {
	vectors.PrintsNothing(t, open(t, remix.Config{}), secret)
}

func FuzzOpen(f *testing.F) {
	vectors.Fuzz(f, writer{open(f, remix.Config{})}, now, vectors.Load(f, "remix"))
}
