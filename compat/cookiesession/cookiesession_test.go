package cookiesession_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/cookiesession"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

const key = "test-only-cookie-session-1"

var now = time.Unix(1790000000, 0)

func open(t testing.TB, cfg cookiesession.Config) *cookiesession.Cookies {
	t.Helper()
	if fips.Only() && cfg.Digest == "" {
		t.Skip("SHA-1 cannot work under fips140=only, which TestNew shows")
	}
	if cfg.Keys == nil {
		cfg.Keys = []string{key}
	}
	if cfg.AcceptUntil.IsZero() {
		cfg.AcceptUntil = now.Add(time.Hour)
	}
	c, err := cookiesession.New(cfg)
	require.NoError(t, err)
	return c
}

// from is the configuration that a vector was made with.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Name string `json:"cookie_name"`
	}](t, v.Options)
	return open(t, cookiesession.Config{Keys: vectors.Decode[[]string](t, v.Secrets), Name: options.Name})
}

func named(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "cookie-session"), name)
}

func TestVectorsOfTheRealPackage(t *testing.T) {
	vectors.Run(t, vectors.Load(t, "cookie-session"), from)
}

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode", "rotated-old", "custom-name"} {
		t.Run(name, func(t *testing.T) {
			v := named(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"dropped-key": signet.ErrInvalid, "renamed": signet.ErrInvalid, "no-signature": signet.ErrTorn,
		"tampered-value": signet.ErrInvalid, "tampered-signature": signet.ErrInvalid, "wrong-name": http.ErrNoCookie,
	} {
		t.Run(name, func(t *testing.T) {
			v := named(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("from AcceptUntil on an authentic one is expired", func(t *testing.T) {
		c := open(t, cookiesession.Config{AcceptUntil: now})
		vectors.IsNew(t, c, named(t, "plain").Request(), now, signet.ErrExpired)
		vectors.IsNew(t, c, named(t, "tampered-value").Request(), now, signet.ErrInvalid)
	})
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	v := named(t, "plain")
	vectors.Attack(t, from(t, v), v.Request(), v.Time())
}

func TestOfTwoCookiesOfOneNameTheAuthenticOneCounts(t *testing.T) {
	v := named(t, "plain")
	tossed := vectors.Cookies("session", "eyJhIjoxfQ==", "session.sig", strings.Repeat("A", 27), "session", v.Cookies["session"], "session.sig", v.Cookies["session.sig"])
	f, err := from(t, v).Open(tossed, v.Time())
	require.NoError(t, err)
	require.JSONEq(t, v.Text, string(f.Claims))
	require.Len(t, f.Cookies, 2)
}

// signed are the two cookies of any value under the key.
func signed(value string) []*http.Cookie {
	h := hmac.New(sha1.New, []byte(key))
	h.Write([]byte("session=" + value))
	return vectors.Cookies("session", value, "session.sig", base64.RawURLEncoding.EncodeToString(h.Sum(nil)))
}

func TestASignedValueThatIsNoSessionIsRefused(t *testing.T) {
	c := open(t, cookiesession.Config{})
	encode := base64.StdEncoding.EncodeToString
	_, err := c.Open(signed(encode([]byte(`{}`))), now)
	require.NoError(t, err)
	for name, value := range map[string]string{
		"an array":        encode([]byte(`[1]`)),
		"a text":          encode([]byte(`"a"`)),
		"null":            encode([]byte(`null`)),
		"no JSON":         encode([]byte(`{`)),
		"no base64":       "{}",
		"without padding": base64.RawStdEncoding.EncodeToString([]byte(`{"a":1}`)),
		"unused bits set": "e31=",
		"percent-encoded": "e30%3D",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open(signed(value), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
}

// writer writes as the fuzz test and the round trips need it.
type writer struct{ *cookiesession.Cookies }

func (w writer) Update(_ []*http.Cookie, claims json.RawMessage, now time.Time) ([]*http.Cookie, error) {
	return w.DangerouslySeal(claims, now)
}

func TestDangerouslySealRoundTrips(t *testing.T) {
	vectors.RoundTrips(t, writer{open(t, cookiesession.Config{Keys: []string{key, "older"}})}, now)
	t.Run("with a Keygrip of sha256 and sha512, which work under fips140=only", func(t *testing.T) {
		for _, digest := range []string{"sha256", "sha512"} {
			vectors.RoundTrips(t, writer{open(t, cookiesession.Config{Digest: digest})}, now)
		}
	})
}

func TestDangerouslySealWritesWhatThePackageWrites(t *testing.T) {
	c := open(t, cookiesession.Config{DangerouslyAllowHTTP: true})
	v := named(t, "plain")
	set, err := c.DangerouslySeal(json.RawMessage(v.Text), now)
	require.NoError(t, err)
	require.Equal(t, "session="+v.Cookies["session"]+"; Path=/; HttpOnly", set[0].String())
	require.Equal(t, "session.sig="+v.Cookies["session.sig"]+"; Path=/; HttpOnly", set[1].String())

	_, err = c.DangerouslySeal(json.RawMessage(`[]`), now)
	require.ErrorContains(t, err, "not a JSON object")
	_, err = c.DangerouslySeal(json.RawMessage(`{"blob":"`+strings.Repeat("x", 4000)+`"}`), now)
	require.ErrorContains(t, err, "blob (4002)")
}

func TestNew(t *testing.T) {
	if fips.Only() {
		_, err := cookiesession.New(cookiesession.Config{Keys: []string{key}, AcceptUntil: now})
		require.ErrorContains(t, err, "Keygrip with sha256")
		_, err = cookiesession.New(cookiesession.Config{Keys: []string{"short"}, Digest: "sha256", AcceptUntil: now})
		require.ErrorContains(t, err, "fewer than 14 bytes")
		return
	}
	_, err := cookiesession.New(cookiesession.Config{Name: "a b", Keys: []string{key, ""}, Digest: "md5"})
	for _, want := range []string{"cannot be a cookie's name", "AcceptUntil is missing", "Keys[1] is empty", `"md5" is not`} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), key)
	_, err = cookiesession.New(cookiesession.Config{AcceptUntil: now})
	require.ErrorContains(t, err, "0 Keys")
}

func TestARequestCostsLittle(t *testing.T) {
	good := named(t, "plain").Request()
	if good[0].Name != "session" {
		good[0], good[1] = good[1], good[0]
	}
	vectors.Bounded(t, open(t, cookiesession.Config{}), good, now)
}

func TestItPrintsNoKey(t *testing.T) {
	vectors.PrintsNothing(t, open(t, cookiesession.Config{}), key)
}

func FuzzOpen(f *testing.F) {
	if fips.Only() {
		f.Skip("SHA-1 cannot work under fips140=only")
	}
	vectors.Fuzz(f, writer{open(f, cookiesession.Config{})}, now, vectors.Load(f, "cookie-session"))
}
