package authjs_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/authjs"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/jwedir"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

const (
	secret   = "test-only-authjs-secret"
	secretV4 = "test-only-nextauth-secret"
	nameV5   = "__Secure-authjs.session-token"
	nameV4   = "__Secure-next-auth.session-token"
)

var now = time.Unix(1790000000, 0)

func open(t testing.TB, cfg authjs.Config) *authjs.Cookies {
	t.Helper()
	c, err := authjs.New(cfg)
	require.NoError(t, err)
	return c
}

// from is the configuration that a vector was made with.
func from(v4 bool) func(*testing.T, vectors.Vector) signet.ForeignFormat {
	return func(t *testing.T, v vectors.Vector) signet.ForeignFormat {
		options := vectors.Decode[struct {
			Name string `json:"cookie_name"`
		}](t, v.Options)
		return open(t, authjs.Config{
			Secrets: vectors.Decode[[]string](t, v.Secrets), CookieName: options.Name, V4: v4,
			DangerouslyAllowHTTP: !strings.HasPrefix(options.Name, "__Secure-"),
		})
	}
}

var files = map[string]bool{"auth-core": false, "next-auth": true} // to whether it is version 4

func TestVectorsOfTheRealPackages(t *testing.T) {
	for file, v4 := range files {
		t.Run(file, func(t *testing.T) { vectors.Run(t, vectors.Load(t, file), from(v4)) })
	}
}

func TestAVisitorMovesIn(t *testing.T) {
	for file, v4 := range files {
		all := vectors.Load(t, file)
		for _, name := range []string{"plain", "unicode", "secure-name", "custom-name", "chunked"} {
			t.Run(file+" "+name, func(t *testing.T) {
				v := vectors.Named(t, all, name)
				vectors.MovesIn(t, from(v4)(t, v), v.Request(), v.Time())
			})
		}
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for _, row := range []struct {
		file, name string
		want       error
	}{
		{"auth-core", "dropped-secret", signet.ErrUnknownKey},
		{"auth-core", "moved-to-secure-name", signet.ErrUnknownKey},
		{"auth-core", "expired", signet.ErrExpired},
		{"auth-core", "tampered-ciphertext", signet.ErrInvalid},
		{"auth-core", "header-without-kid-swapped", signet.ErrInvalid},
		{"auth-core", "wrong-name", http.ErrNoCookie},
		{"next-auth", "expired", signet.ErrExpired},
		{"next-auth", "wrong-secret", signet.ErrInvalid},
		{"next-auth", "salted", signet.ErrInvalid},
		{"next-auth", "tampered-header", signet.ErrInvalid},
		{"next-auth", "missing-chunk", signet.ErrTorn},
		{"next-auth", "wrong-name", http.ErrNoCookie},
	} {
		t.Run(row.file+" "+row.name, func(t *testing.T) {
			v := vectors.Named(t, vectors.Load(t, row.file), row.name)
			vectors.IsNew(t, from(files[row.file])(t, v), v.Request(), v.Time(), row.want)
		})
	}
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	for file, v4 := range files {
		for _, name := range []string{"plain", "chunked"} {
			v := vectors.Named(t, vectors.Load(t, file), name)
			vectors.Attack(t, from(v4)(t, v), v.Request(), v.Time())
		}
	}
}

func TestAStaleChunkBehindAWholeTokenDoesNoHarm(t *testing.T) {
	v := vectors.Named(t, vectors.Load(t, "next-auth"), "chunked")
	stale := append(v.Request(), vectors.Cookies("next-auth.session-token.2", "stale")...)
	f, err := from(true)(t, v).Open(stale, v.Time())
	require.NoError(t, err)
	require.Len(t, f.Cookies, 3, "it is expired with the others")
}

// token is a JWE of these parts under the key of version 4.
func token(t *testing.T, header, claims string) []*http.Cookie {
	raw, err := jwedir.Derive(secretV4, "", "NextAuth.js Generated Encryption Key", jwedir.GCMKey)
	require.NoError(t, err)
	k, err := jwedir.NewGCM(raw)
	require.NoError(t, err)
	return vectors.Cookies(nameV4, k.Seal(header, []byte(claims)))
}

func TestAuthenticTokensThatNextAuthNeverWrites(t *testing.T) {
	const header, good = `{"alg":"dir","enc":"A256GCM"}`, `{"exp":1790000100}`
	c := open(t, authjs.Config{Secrets: []string{secretV4}, V4: true})
	_, err := c.Open(token(t, header, good), now)
	require.NoError(t, err)
	for name, row := range map[string]struct {
		header, claims string
		want           error
	}{
		"without exp, which next-auth accepts for ever": {header, `{"iat":1}`, signet.ErrInvalid},
		"with an exp that is a text":                    {header, `{"exp":"1790000100"}`, signet.ErrInvalid},
		"with an exp beyond doubles":                    {header, `{"exp":99999999999999999999}`, signet.ErrInvalid},
		"not valid yet":                                 {header, `{"exp":1790000100,"nbf":1790000016}`, signet.ErrInvalid},
		"with an nbf that is no number":                 {header, `{"exp":1790000100,"nbf":null}`, signet.ErrInvalid},
		"an array":                                      {header, `[1]`, signet.ErrInvalid},
		"no JSON":                                       {header, `{`, signet.ErrInvalid},
		"a header with zip":                             {`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, good, signet.ErrInvalid},
		"a header in another order":                     {`{"enc":"A256GCM","alg":"dir"}`, good, signet.ErrInvalid},
		"a header with PBES2 and a count":               {`{"alg":"PBES2-HS512+A256KW","p2c":999999999,"p2s":"AA","enc":"A256GCM"}`, good, signet.ErrInvalid},
		"a header of 600 bytes":                         {`{"alg":"dir","enc":"A256GCM","x":"` + strings.Repeat("x", 570) + `"}`, good, signet.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Open(token(t, row.header, row.claims), now)
			require.ErrorIs(t, err, row.want)
		})
	}
}

func TestVersion4BecomesVersion5(t *testing.T) {
	v := vectors.Named(t, vectors.Load(t, "next-auth"), "secure-name")
	chunked := vectors.Cookies("__Secure-next-auth.session-token.1", "stale")
	carried := append(v.Request(), chunked...)
	c := open(t, authjs.Config{Secrets: []string{secretV4}, AcceptV4: true})

	f, err := c.Open(carried, v.Time())
	require.NoError(t, err)
	require.JSONEq(t, v.Text, string(f.Claims))

	set, err := c.Update(carried, f.Claims, v.Time())
	require.NoError(t, err)
	held := vectors.Browser(carried, set)
	require.Len(t, held, 1)
	require.Equal(t, nameV5, held[0].Name)
	_, err = open(t, authjs.Config{Secrets: []string{secretV4}}).Open(held, v.Time())
	require.NoError(t, err, "it is of version 5")
	_, err = open(t, authjs.Config{Secrets: []string{secretV4}}).Open(carried, v.Time())
	require.ErrorIs(t, err, http.ErrNoCookie, "without AcceptV4 only version 5 counts")
	require.Empty(t, vectors.Browser(carried, c.Clear(carried)))
}

func TestSealRoundTrips(t *testing.T) {
	for _, cfg := range []authjs.Config{{Secrets: []string{secret, "older"}}, {Secrets: []string{secret, "older"}, V4: true}} {
		if fips.Only() {
			cfg.Secrets = cfg.Secrets[:1]
		}
		vectors.RoundTrips(t, open(t, cfg), now, json.RawMessage(`{"b":"`+strings.Repeat("x", 10000)+`"}`))
	}
}

func TestSealWritesWhatThePackageWrites(t *testing.T) {
	c := open(t, authjs.Config{Secrets: []string{secret}})
	set, err := c.Seal(json.RawMessage(`{"sub":"42","exp":1,"nbf":9999999999,"n":"<&>"}`), now)
	require.NoError(t, err)
	require.Len(t, set, 1)
	require.Equal(t, nameV5+"="+set[0].Value+"; Path=/; Expires=Wed, 21 Oct 2026 14:13:20 GMT; HttpOnly; Secure; SameSite=Lax", set[0].String())
	v := vectors.Named(t, vectors.Load(t, "auth-core"), "secure-name")
	require.Equal(t, strings.Split(v.Cookies[nameV5], ".")[0], strings.Split(set[0].Value, ".")[0], "the header with its kid")

	f, err := c.Open(vectors.Browser(nil, set), now)
	require.NoError(t, err)
	require.Regexp(t, `^\{"sub":"42","n":"<&>","iat":1790000000,"exp":1792592000,"jti":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"\}$`, string(f.Claims))
	require.Equal(t, now, f.Issued)

	t.Run("chunks have the package's size", func(t *testing.T) {
		for _, row := range []struct {
			v4     bool
			first  string
			length int
		}{{false, nameV5 + ".0", 3936}, {true, nameV4 + ".0", 3933}} {
			set, err := open(t, authjs.Config{Secrets: []string{secret}, V4: row.v4}).Seal(json.RawMessage(`{"b":"`+strings.Repeat("x", 4000)+`"}`), now)
			require.NoError(t, err)
			require.Len(t, set, 2)
			require.Equal(t, row.first, set[0].Name)
			require.Len(t, set[0].Value, row.length)
		}
	})
	t.Run("go-jose opens both", func(t *testing.T) {
		for _, v4 := range []bool{false, true} {
			set, err := open(t, authjs.Config{Secrets: []string{secret}, V4: v4}).Seal(json.RawMessage(`{"sub":"1"}`), now)
			require.NoError(t, err)
			info, salt, size, enc := "Auth.js Generated Encryption Key ("+nameV5+")", nameV5, 64, jose.A256CBC_HS512
			if v4 {
				info, salt, size, enc = "NextAuth.js Generated Encryption Key", "", 32, jose.A256GCM
			}
			raw, err := jwedir.Derive(secret, salt, info, size)
			require.NoError(t, err)
			parsed, err := jose.ParseEncryptedCompact(set[0].Value, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{enc})
			require.NoError(t, err)
			if fips.Only() && v4 {
				return // go-jose makes its GCM in a way that is refused then
			}
			claims, err := parsed.Decrypt(raw)
			require.NoError(t, err)
			require.Contains(t, string(claims), `"sub":"1"`)
		}
	})
}

func TestUpdateLeavesNoStaleCookieBehind(t *testing.T) {
	c := open(t, authjs.Config{Secrets: []string{secret}})
	var held []*http.Cookie
	for _, size := range []int{10, 7000, 4000, 10, 7000, 10} {
		set, err := c.Update(held, json.RawMessage(`{"b":"`+strings.Repeat("x", size)+`"}`), now)
		require.NoError(t, err)
		held = vectors.Browser(held, set)
		_, err = c.Open(held, now)
		require.NoError(t, err)
		require.Len(t, held, map[int]int{10: 1, 4000: 2, 7000: 3}[size])
	}
}

func TestSealRefuses(t *testing.T) {
	c := open(t, authjs.Config{Secrets: []string{secret}})
	for claims, want := range map[string]string{
		`[1]`:       "not a JSON object",
		`{"sub":1}`: "sub is not a text",
		`{"blob":"` + strings.Repeat("x", 13000) + `"}`: "blob (13002)",
	} {
		_, err := c.Seal(json.RawMessage(claims), now)
		require.ErrorContains(t, err, want)
	}
}

func TestNew(t *testing.T) {
	for want, cfg := range map[string]authjs.Config{
		"0 Secrets":            {},
		"17 Secrets":           {Secrets: make([]string, 17)},
		"Secrets[1] is empty":  {Secrets: []string{secret, ""}},
		"MaxAge -1s":           {Secrets: []string{secret}, MaxAge: -time.Second},
		"V4 or AcceptV4":       {Secrets: []string{secret}, V4: true, AcceptV4: true},
		"without AcceptV4":     {Secrets: []string{secret}, V4CookieName: "x"},
		"would join the two":   {Secrets: []string{secret}, CookieName: "sid", V4CookieName: "sid-old", AcceptV4: true},
		"needs Secure":         {Secrets: []string{secret}, CookieName: nameV5, DangerouslyAllowHTTP: true},
		"cannot be a cookie's": {Secrets: []string{secret}, Domain: "a b"},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := authjs.New(cfg)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), secret)
		})
	}
	t.Run("a short secret works, but not under fips140=only", func(t *testing.T) {
		_, err := authjs.New(authjs.Config{Secrets: []string{"x"}})
		if fips.Only() {
			require.ErrorContains(t, err, "fewer than 14 bytes")
		} else {
			require.NoError(t, err)
		}
	})
}

func TestARequestCostsLittle(t *testing.T) {
	for file, v4 := range files {
		v := vectors.Named(t, vectors.Load(t, file), "plain")
		vectors.Bounded(t, from(v4)(t, v), v.Request(), v.Time())
	}
}

func TestItPrintsNoSecret(t *testing.T) {
	c := open(t, authjs.Config{Secrets: []string{secret}, AcceptV4: true})
	derived, err := jwedir.Derive(secret, "", "NextAuth.js Generated Encryption Key", jwedir.GCMKey)
	require.NoError(t, err)
	vectors.PrintsNothing(t, c, secret, string(derived), base64.StdEncoding.EncodeToString(derived))
}

func FuzzOpen(f *testing.F) {
	seeds := append(vectors.Load(f, "auth-core"), vectors.Load(f, "next-auth")...)
	vectors.Fuzz(f, open(f, authjs.Config{Secrets: []string{secret, secretV4}, AcceptV4: true, CookieName: "authjs.session-token", V4CookieName: "next-auth.session-token", DangerouslyAllowHTTP: true}), now, seeds)
}
