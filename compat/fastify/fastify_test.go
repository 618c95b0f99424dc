package fastify_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/fastify"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

var (
	now  = time.Unix(1790000000, 0)
	key  = []byte("test-only-fastify-key-1.........")
	key2 = []byte("test-only-fastify-key-2.........")
)

func open(t testing.TB, cfg fastify.Config) *fastify.Cookies {
	t.Helper()
	if fips.Only() {
		t.Skip("the format cannot work under fips140=only, which TestNew shows")
	}
	if cfg.Keys == nil && cfg.Secret == "" {
		cfg.Keys = [][]byte{key}
	}
	c, err := fastify.New(cfg)
	require.NoError(t, err)
	return c
}

// derived are the formats whose key was derived from a passphrase.
var derived = map[string]*fastify.Cookies{}

// from is the configuration that a vector was made with.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Name   string `json:"cookie_name"`
		Are    string `json:"secrets_are"`
		Salt   []byte `json:"salt_base64"`
		Expiry int    `json:"expiry"`
	}](t, v.Options)
	cfg := fastify.Config{CookieName: options.Name, Expiry: time.Duration(options.Expiry) * time.Second, Path: "/"}
	if options.Are == "passphrase" {
		cfg.Secret, cfg.Salt = vectors.Decode[[]string](t, v.Secrets)[0], options.Salt
		once := string(v.Secrets) + string(v.Options) // a second and 256 MiB each
		if derived[once] == nil {
			derived[once] = open(t, cfg)
		}
		return derived[once]
	}
	cfg.Keys = vectors.Decode[[][]byte](t, v.Secrets)
	return open(t, cfg)
}

func named(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "fastify-secure-session"), name)
}

func TestVectorsOfTheRealPackage(t *testing.T) {
	vectors.Run(t, vectors.Load(t, "fastify-secure-session"), from)
}

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode", "rotated-old", "custom-name", "last-second"} {
		t.Run(name, func(t *testing.T) {
			v := named(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"wrong-key": signet.ErrInvalid, "expired": signet.ErrExpired, "tampered": signet.ErrInvalid,
		"no-nonce": signet.ErrInvalid, "wrong-name": http.ErrNoCookie,
	} {
		t.Run(name, func(t *testing.T) {
			v := named(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	v := named(t, "plain")
	vectors.Attack(t, from(t, v), v.Request(), v.Time())
}

// sealed is a cookie of any text under the key.
func sealed(text string) []*http.Cookie {
	var nonce [24]byte
	rand.Read(nonce[:])
	box := secretbox.Seal(nil, []byte(text), &nonce, (*[32]byte)(key))
	encode := base64.StdEncoding.EncodeToString
	return vectors.Cookies("session", url.QueryEscape(encode(box)+";"+encode(nonce[:])))
}

func TestAuthenticTextsThatThePluginNeverWrites(t *testing.T) {
	c := open(t, fastify.Config{})
	_, err := c.Open(sealed(`{"__ts":1790000000}`), now)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"without __ts, which never ends there": `{"a":1}`,
		"with a __ts that is a text":           `{"__ts":"1790000000"}`,
		"with a __ts beyond all calendars":     `{"__ts":9007199254740000}`,
		"null, which is a 500 there":           `null`,
		"no JSON, which is a 500 there":        `{`,
		"empty":                                ``,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open(sealed(text), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
}

func TestARespelledCookieIsRefused(t *testing.T) {
	c := open(t, fastify.Config{})
	value, err := url.QueryUnescape(named(t, "plain").Cookies["session"])
	require.NoError(t, err)
	_, err = c.Open(vectors.Cookies("session", url.QueryEscape(value)), now)
	require.NoError(t, err)
	for name, other := range map[string]string{
		"base64url":            strings.NewReplacer("+", "-", "/", "_").Replace(value),
		"without padding":      strings.TrimRight(value, "="),
		"with a third part":    value + ";",
		"with a line break":    value[:10] + "\r\n" + value[10:],
		"without a semicolon":  strings.Replace(value, ";", "", 1),
		"shorter than its tag": "AAAA;" + strings.SplitN(value, ";", 2)[1],
	} {
		if other == value {
			continue // it has none of these characters
		}
		_, err := c.Open(vectors.Cookies("session", url.QueryEscape(other)), now)
		require.ErrorIs(t, err, signet.ErrInvalid, name)
	}
}

func TestSealRoundTrips(t *testing.T) {
	vectors.RoundTrips(t, open(t, fastify.Config{Keys: [][]byte{key, key2}}), now)
}

func TestSealWritesWhatThePluginWrites(t *testing.T) {
	c := open(t, fastify.Config{})
	set, err := c.Seal(json.RawMessage(`{"__ts":1,"a":"<&>"}`), now.Add(500*time.Millisecond))
	require.NoError(t, err)
	require.Equal(t, "session="+set[0].Value+"; HttpOnly; Secure; SameSite=Lax", set[0].String())
	require.Regexp(t, `^(\w|%2B|%2F|%3D)+%3B(\w|%2B|%2F){32,}$`, set[0].Value)
	f, err := c.Open(vectors.Browser(nil, set), now)
	require.NoError(t, err)
	require.Equal(t, `{"a":"<&>"}`, string(f.Claims))
	require.Equal(t, now.Add(time.Second), f.Issued, "the time is rounded, not cut")
	require.Equal(t, f.Issued.Add(86401*time.Second), f.Expires)
}

func TestSealRefuses(t *testing.T) {
	c := open(t, fastify.Config{})
	_, err := c.Seal(json.RawMessage(`[]`), now)
	require.ErrorContains(t, err, "not a JSON object")
	_, err = c.Seal(json.RawMessage(`{"blob":"`+strings.Repeat("x", 4000)+`"}`), now)
	require.ErrorContains(t, err, "blob (4002)")
}

func TestNew(t *testing.T) {
	if fips.Only() {
		_, err := fastify.New(fastify.Config{Keys: [][]byte{key}})
		require.ErrorContains(t, err, "fips140=only")
		return
	}
	for want, cfg := range map[string]fastify.Config{
		"Keys are missing":          {},
		"Keys[1] has 31 bytes":      {Keys: [][]byte{key, key[1:]}},
		"17 Keys":                   {Keys: make([][]byte, 17)},
		"not both":                  {Keys: [][]byte{key}, Secret: strings.Repeat("s", 32)},
		"fewer than 32":             {Secret: "short-passphrase"},
		"Salt has 3 bytes":          {Secret: strings.Repeat("s", 32), Salt: []byte("abc")},
		"Expiry -1s":                {Keys: [][]byte{key}, Expiry: -time.Second},
		"cannot be a cookie's name": {Keys: [][]byte{key}, CookieName: "a b"},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := fastify.New(cfg)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "short-passphrase")
		})
	}
}

func TestARequestCostsLittle(t *testing.T) {
	vectors.Bounded(t, open(t, fastify.Config{}), named(t, "plain").Request(), now)
}

func TestItPrintsNoKey(t *testing.T) {
	vectors.PrintsNothing(t, open(t, fastify.Config{}), string(key), base64.StdEncoding.EncodeToString(key))
}

func FuzzOpen(f *testing.F) {
	if fips.Only() {
		f.Skip("the format cannot work under fips140=only")
	}
	vectors.Fuzz(f, open(f, fastify.Config{Keys: [][]byte{key, key2}}), now, vectors.Load(f, "fastify-secure-session"))
}
