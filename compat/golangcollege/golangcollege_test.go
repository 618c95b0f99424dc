package golangcollege_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/gob"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/golangcollege"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/nacl/secretbox"
)

const key = "test-only-golangcollege-key-0123"

var now = time.Unix(1790000000, 0).UTC()

func open(t testing.TB, secrets ...string) *golangcollege.Cookies {
	t.Helper()
	if fips.Only() {
		t.Skip("XSalsa20-Poly1305 cannot work under fips140=only, which TestNew shows")
	}
	cfg := golangcollege.Config{Key: []byte(secrets[0])}
	for _, old := range secrets[1:] {
		cfg.OldKeys = append(cfg.OldKeys, []byte(old))
	}
	c, err := golangcollege.New(cfg)
	require.NoError(t, err)
	return c
}

func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	return open(t, vectors.Secrets(t, v)...)
}

func vector(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "golangcollege"), name)
}

func TestVectorsOfTheRealPackage(t *testing.T) {
	vectors.Run(t, vectors.Load(t, "golangcollege"), from)
}

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "types", "old-key", "short-key", "long-key"} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
	f, err := from(t, vector(t, "old-key")).Open(vector(t, "old-key").Request(), vector(t, "old-key").Time())
	require.NoError(t, err)
	require.Equal(t, 1, f.KeyIndex)
	require.Equal(t, "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", f.Cookies[0].String())
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"wrong-key": signet.ErrInvalid, "expired": signet.ErrExpired, "tampered": signet.ErrInvalid, "struct": signet.ErrInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("wrong name", func(t *testing.T) {
		vectors.IsNew(t, open(t, key), vectors.Cookies("sessions", vector(t, "plain").CookieValue), now, http.ErrNoCookie)
	})
	t.Run("a type that is not registered says what to do", func(t *testing.T) {
		v := vector(t, "struct")
		_, err := open(t, key).Open(v.Request(), v.Time())
		require.ErrorContains(t, err, "gob.Register")
	})
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	v := vector(t, "plain")
	vectors.Attack(t, from(t, v), v.Request(), v.Time())
}

type sealed struct {
	Data   map[string]any
	Expiry time.Time
}

func encoded(t testing.TB, v any) []byte {
	var b bytes.Buffer
	require.NoError(t, gob.NewEncoder(&b).Encode(v))
	return b.Bytes()
}

// forge seals any bytes as the package would.
func forge(plain []byte) []*http.Cookie {
	var nonce [24]byte
	rand.Read(nonce[:])
	return vectors.Cookies("session", base64.RawURLEncoding.EncodeToString(secretbox.Seal(nonce[:], plain, &nonce, (*[32]byte)([]byte(key)))))
}

func TestWhatIsSealedButNoSessionIsRefused(t *testing.T) {
	c := open(t, key)
	for name, cookies := range map[string][]*http.Cookie{
		"no gob":                    forge([]byte("hello")),
		"nothing":                   forge(nil),
		"gob of another type":       forge(encoded(t, "text")),
		"gob and something behind":  forge(append(encoded(t, sealed{nil, now}), 1)),
		"a float that JSON has not": forge(encoded(t, sealed{map[string]any{"a": math.Inf(1)}, now})),
		"no base64":                 vectors.Cookies("session", "*"),
		"shorter than a nonce":      vectors.Cookies("session", "AAAA"),
		"as long as a nonce":        vectors.Cookies("session", strings.Repeat("A", 32)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open(cookies, now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
	t.Run("one without an end is expired", func(t *testing.T) {
		_, err := c.Open(forge(encoded(t, sealed{map[string]any{"a": 1}, time.Time{}})), now)
		require.ErrorIs(t, err, signet.ErrExpired)
	})
	t.Run("at its end itself it opens, as there, and not after", func(t *testing.T) {
		cookies := forge(encoded(t, sealed{map[string]any{"a": 1}, now}))
		f, err := c.Open(cookies, now)
		require.NoError(t, err)
		require.True(t, f.Expires.After(now))
		_, err = c.Open(cookies, now.Add(1))
		require.ErrorIs(t, err, signet.ErrExpired)
	})
	t.Run("one without data is empty", func(t *testing.T) {
		f, err := c.Open(forge(encoded(t, sealed{nil, now})), now)
		require.NoError(t, err)
		require.Equal(t, "{}", string(f.Claims))
	})
}

func TestNew(t *testing.T) {
	_, err := golangcollege.New(golangcollege.Config{OldKeys: [][]byte{nil}, Path: "app"})
	require.ErrorContains(t, err, "golangcollege: Key is empty")
	require.ErrorContains(t, err, "golangcollege: OldKeys[0] is empty")
	require.ErrorContains(t, err, `Path "app"`)
	_, err = golangcollege.New(golangcollege.Config{Key: []byte(key)})
	require.Equal(t, fips.Only(), err != nil, "under fips140=only it says that it cannot work")
}

func TestAStrangersRequestIsBounded(t *testing.T) {
	vectors.Bounded(t, open(t, key), vector(t, "plain").Request(), now)
}

func TestCookiesPrintNoSecret(t *testing.T) { vectors.PrintsNothing(t, open(t, key), key) }

func FuzzOpen(f *testing.F) {
	if fips.Only() {
		f.Skip("XSalsa20-Poly1305 cannot work under fips140=only, which TestNew shows")
	}
	c := open(f, key)
	f.Add(encoded(f, sealed{map[string]any{"a": 1, "b": []any{"x"}}, now}), "")
	f.Add([]byte{}, vector(f, "plain").CookieValue)
	f.Fuzz(func(t *testing.T, plain []byte, value string) {
		for _, cookies := range [][]*http.Cookie{forge(plain), vectors.Cookies("session", value)} {
			if _, err := c.Open(cookies, now); err != nil {
				require.True(t, vectors.Sentinel(err), "%v", err)
			}
		}
	})
}
