package flask_test

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/flask"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

const secret = "test-only-flask-secret-1"

var now = time.Unix(1790000000, 0)

// from is the configuration that a vector was made with.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Salt, Digest string
		MaxAge       int `json:"max_age"`
	}](t, v.Options)
	return open(t, flask.Config{
		SecretKey: vectors.Secrets(t, v)[0], SecretKeyFallbacks: vectors.Secrets(t, v)[1:],
		SessionCookieName: v.CookieName, Salt: options.Salt, Digest: options.Digest,
		PermanentSessionLifetime: time.Duration(options.MaxAge) * time.Second,
	})
}

func open(t testing.TB, cfg flask.Config) *flask.Cookies {
	t.Helper()
	if cfg.SecretKey == "" {
		cfg.SecretKey = secret
	}
	if fips.Only() && (cfg.Digest == "" || cfg.Digest == "sha1") {
		t.Skip("HMAC-SHA1 cannot work under fips140=only, which TestNew shows")
	}
	c, err := flask.New(cfg)
	require.NoError(t, err)
	return c
}

func vector(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "flask"), name)
}

func TestVectorsOfTheRealFramework(t *testing.T) {
	vectors.Run(t, vectors.Load(t, "flask"), from)
}

func TestUntaggedVectorsAreWhatFlaskDecodes(t *testing.T) {
	for _, v := range vectors.Load(t, "flask") {
		if !v.Valid {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			f, err := from(t, v).Open(v.Request(), v.Time())
			require.NoError(t, err)
			plain, err := flask.Untag(f.Claims)
			require.NoError(t, err)
			require.JSONEq(t, string(v.Decoded), string(plain))
			require.False(t, f.Issued.IsZero())
		})
	}
	f, err := open(t, flask.Config{}).Open(vector(t, "flashes").Request(), now)
	require.NoError(t, err)
	require.Equal(t, signet.Flashes{
		{Category: "message", Text: "saved"}, {Category: "error", Text: "no & <b>"}, {Category: "info", Text: "<i>x</i>"},
	}, flask.Flashes(f.Claims))
}

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "unicode", "flashes", "tags", "compressed", "other-name", "age-equals-max-age", "bytes-secret"} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"expired": signet.ErrExpired, "future": signet.ErrClockSkew, "tampered-payload": signet.ErrInvalid,
		"wrong-key": signet.ErrInvalid, "wrong-salt": signet.ErrInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("wrong name", func(t *testing.T) {
		vectors.IsNew(t, open(t, flask.Config{}), vector(t, "other-name").Request(), now, http.ErrNoCookie)
	})
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	for _, name := range []string{"plain", "compressed"} {
		v := vector(t, name)
		vectors.Attack(t, from(t, v), v.Request(), v.Time())
	}
}

// forge signs a body as Flask would, whatever it is.
func forge(body string, at time.Time) []*http.Cookie {
	mac := func(key []byte, text string) []byte {
		m := hmac.New(sha1.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	raw := base64.RawURLEncoding
	seconds := at.Unix()
	stamp := []byte{byte(seconds >> 24), byte(seconds >> 16), byte(seconds >> 8), byte(seconds)}
	signed := body + "." + raw.EncodeToString(stamp)
	key := mac([]byte(secret), "cookie-session")
	return vectors.Cookies("session", signed+"."+raw.EncodeToString(mac(key, signed)))
}

func plain(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func deflated(text string) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

func packed(raw []byte) string { return "." + base64.RawURLEncoding.EncodeToString(raw) }

func TestWhatIsSignedButNoSessionIsRefused(t *testing.T) {
	whole := deflated(`{"a":"` + strings.Repeat("b", 1000) + `"}`)
	for name, body := range map[string]string{
		"no JSON":                           plain(`{"a":`),
		"an array":                          plain(`[1]`),
		"two values":                        plain(`{}{}`),
		"NaN":                               plain(`{"a":NaN}`),
		"-Infinity":                         plain(`{"a":-Infinity}`),
		"a byte that is not UTF-8":          plain("{\"a\":\"\xff\"}"),
		"nesting of 101":                    plain(`{"a":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}`),
		"a number of 4,301 digits":          packed(deflated(`{"a":` + strings.Repeat("1", 4301) + `}`)),
		"a session that is a tuple":         plain(`{" t":[["a",1]]}`),
		"a tuple of a number":               plain(`{"a":{" t":1}}`),
		"bytes that are not base64":         plain(`{"a":{" b":"*"}}`),
		"a UUID of 31 digits":               plain(`{"a":{" u":"0123456789abcdef0123456789abcde"}}`),
		"an escaped dict of two keys":       plain(`{"a":{" di":{"x__":1,"y__":2}}}`),
		"zlib that is cut":                  packed(whole[:len(whole)-1]),
		"zlib with a wrong checksum":        packed(append(whole[:len(whole)-1:len(whole)-1], whole[len(whole)-1]^1)),
		"zlib with a byte behind it":        packed(append(whole[:len(whole):len(whole)], 0)),
		"zlib of 262,145 bytes":             packed(deflated(`{"a":"` + strings.Repeat("b", 262_145-8) + `"}`)),
		"base64 with padding":               plain(`{"a":1}`) + "=",
		"base64 with unused bits":           plain(`{"a":1}`)[:9] + "R",
		"no timestamp between two dots":     "." + plain(`{"a":1}`) + ".",
		"a body of nothing":                 "",
		"a dot of compression and no bytes": ".",
	} {
		t.Run(name, func(t *testing.T) {
			f, err := open(t, flask.Config{}).Open(forge(body, now), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
			require.Nil(t, f)
		})
	}
	t.Run("a bomb of 3 MB is not inflated to its end", func(t *testing.T) {
		c := open(t, flask.Config{})
		cookies := forge(packed(deflated(`{"a":"`+strings.Repeat("b", 3_000_000)+`"}`)), now)
		require.Less(t, len(cookies[0].Value), 4096, "a browser would send it")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.Open(cookies, now)
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, "inflates to more than 262144 bytes")
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(3_000_000))
	})
	for name, body := range map[string]string{
		"nesting of 99 in the object":     plain(`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`),
		"zlib of 262,144 bytes":           packed(deflated(`{"a":"` + strings.Repeat("b", 262_144-8) + `"}`)),
		"a lone surrogate":                plain(`{"a":"\ud800"}`),
		"an application's own tag":        plain(`{"a":{" z":1}}`),
		"a session of one key, escaped":   plain(`{" di":{" t__":1}}`),
		"a datetime that nobody can read": plain(`{"a":{" d":"soon"}}`),
		"a number of 4,300 digits":        packed(deflated(`{"a":` + strings.Repeat("1", 4300) + `}`)),
	} {
		t.Run("but opened: "+name, func(t *testing.T) {
			_, err := open(t, flask.Config{}).Open(forge(body, now), now)
			require.NoError(t, err)
		})
	}
}

func TestTwoCookiesOfOneNameAreTriedInFlasksOrder(t *testing.T) {
	c := open(t, flask.Config{})
	a, b := forge(plain(`{"u":"a"}`), now), forge(plain(`{"u":"b"}`), now)
	f, err := c.Open(append(a, b...), now)
	require.NoError(t, err)
	require.JSONEq(t, `{"u":"a"}`, string(f.Claims))
	bad := vectors.Cookies("session", "1", "session", "2", "session", "3")
	f, err = c.Open(append(bad, b...), now)
	require.NoError(t, err)
	require.JSONEq(t, `{"u":"b"}`, string(f.Claims))
	_, err = c.Open(append(append(bad, vectors.Cookies("session", "4")...), b...), now)
	require.ErrorIs(t, err, signet.ErrInvalid, "a fifth is not looked at")
}

func TestFallbacksOpenAndTheSecretKeySeals(t *testing.T) {
	old := open(t, flask.Config{SecretKey: "test-only-flask-secret-0"})
	both := open(t, flask.Config{SecretKeyFallbacks: []string{"test-only-flask-secret-x", "test-only-flask-secret-0"}})
	set, err := old.Seal(json.RawMessage(`{"a":1}`), now)
	require.NoError(t, err)
	f, err := both.Open(set, now)
	require.NoError(t, err)
	require.Equal(t, 2, f.KeyIndex)
	set, err = both.Seal(f.Claims, now)
	require.NoError(t, err)
	_, err = old.Open(set, now)
	require.ErrorIs(t, err, signet.ErrInvalid)
}

func TestClockSkewTakesAStampAhead(t *testing.T) {
	v := vector(t, "future") // one second ahead
	_, err := open(t, flask.Config{ClockSkew: time.Second}).Open(v.Request(), now)
	require.NoError(t, err)
	_, err = open(t, flask.Config{ClockSkew: time.Second}).Open(v.Request(), now.Add(-time.Second))
	require.ErrorIs(t, err, signet.ErrClockSkew)
}

func TestSealedSessionsOpen(t *testing.T) {
	vectors.RoundTrips(t, open(t, flask.Config{}), now,
		json.RawMessage(`{"t":{" t":[1,{" b":"AP8="}]},"_flashes":[{" t":["info","x"]}]}`))
}

func TestTheCookieHasFlasksAttributes(t *testing.T) {
	for name, row := range map[string]struct {
		cfg    flask.Config
		claims string
		want   string
	}{
		"by default": {flask.Config{}, `{"a":1}`, "; Path=/; HttpOnly"},
		"permanent":  {flask.Config{}, `{"_permanent":true,"a":1}`, "; Path=/; Expires=Thu, 22 Oct 2026 14:13:20 GMT; HttpOnly"},
		"every setting": {flask.Config{SessionCookieDomain: "example.com", SessionCookiePath: "/app", SessionCookieSecure: true,
			SessionCookieSameSite: http.SameSiteNoneMode, SessionCookiePartitioned: true, DangerouslyAllowScripts: true},
			`{"a":1}`, "; Path=/app; Domain=example.com; Secure; SameSite=None; Partitioned"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := open(t, row.cfg).Seal(json.RawMessage(row.claims), now)
			require.NoError(t, err)
			require.Len(t, set, 1)
			_, attributes, _ := strings.Cut(set[0].String(), ";")
			require.Equal(t, row.want, ";"+attributes)
		})
	}
	t.Run("an empty session deletes the cookie", func(t *testing.T) {
		set, err := open(t, flask.Config{}).Seal(json.RawMessage(` { } `), now)
		require.NoError(t, err)
		require.Equal(t, "session=; Path=/; Max-Age=0; HttpOnly", set[0].String())
	})
}

func TestSealRefusesWhatFlaskCannotRead(t *testing.T) {
	c := open(t, flask.Config{})
	for name, claims := range map[string]string{
		"no object": `[]`, "nothing": ``, "a broken UUID": `{"a":{" u":"x"}}`, "NaN": `{"a":NaN}`, "a tuple": `{" t":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Seal(json.RawMessage(claims), now)
			require.ErrorContains(t, err, "flask: these claims would make Flask fail")
		})
	}
	t.Run("a cookie that browsers drop", func(t *testing.T) {
		noise := make([]byte, 3200)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range noise {
			noise[i] = byte('a' + r.IntN(26))
		}
		noise = append(noise, noise[:1500]...)
		_, err := c.Seal(json.RawMessage(`{"basket":"`+plain(string(noise))+`","a":1}`), now)
		var large *signet.TooLargeError
		require.ErrorAs(t, err, &large)
		require.Equal(t, 4096, large.Limit)
		require.Contains(t, large.Fields[0], "basket")
	})
}

func TestNew(t *testing.T) {
	for name, row := range map[string]struct {
		cfg  flask.Config
		want string
	}{
		"without a secret":                {flask.Config{}, "flask: SecretKey is empty"},
		"with a short one":                {flask.Config{SecretKey: "dev"}, "flask: SecretKey has 3 bytes"},
		"with one that is printed":        {flask.Config{SecretKey: "_5#y2L\"F4Q8z\n\xec]/"}, "flask: SecretKey is printed in public documentation"},
		"with a short fallback":           {flask.Config{SecretKey: secret, SecretKeyFallbacks: []string{secret, "x"}}, "flask: SecretKeyFallbacks[1] has 1 bytes"},
		"with a name of two words":        {flask.Config{SecretKey: secret, SessionCookieName: "my session"}, `flask: "my session" cannot be a cookie's name`},
		"with a lifetime under a second":  {flask.Config{SecretKey: secret, PermanentSessionLifetime: 31}, "flask: PermanentSessionLifetime 31ns"},
		"with a skew of a minute":         {flask.Config{SecretKey: secret, ClockSkew: time.Minute}, "flask: ClockSkew 1m0s"},
		"with md5":                        {flask.Config{SecretKey: secret, Digest: "md5"}, `flask: Digest "md5"`},
		"with SameSite=None but insecure": {flask.Config{SecretKey: secret, SessionCookieSameSite: http.SameSiteNoneMode}, "needs Secure"},
		"with a path that is none":        {flask.Config{SecretKey: secret, SessionCookiePath: "app"}, `flask: Path "app"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := flask.New(row.cfg)
			require.ErrorContains(t, err, row.want)
			if len(row.cfg.SecretKey) >= 8 {
				require.NotContains(t, err.Error(), row.cfg.SecretKey)
			}
		})
	}
	t.Run("says all problems at once", func(t *testing.T) {
		_, err := flask.New(flask.Config{SessionCookieName: "a b", ClockSkew: -1})
		require.ErrorContains(t, err, "SecretKey is empty")
		require.ErrorContains(t, err, "cannot be a cookie's name")
		require.ErrorContains(t, err, "ClockSkew")
	})
	t.Run("with a weak secret and the option that says so", func(t *testing.T) {
		if fips.Only() {
			return
		}
		_, err := flask.New(flask.Config{SecretKey: "dev", DangerouslyAllowWeakSecret: true})
		require.NoError(t, err)
	})
	t.Run("under fips140=only says what cannot work", func(t *testing.T) {
		_, err := flask.New(flask.Config{SecretKey: secret})
		require.Equal(t, fips.Only(), err != nil)
		if err != nil {
			require.ErrorContains(t, err, "HMAC-SHA1")
		}
		c, err := flask.New(flask.Config{SecretKey: secret, Digest: "sha256"})
		require.NoError(t, err)
		set, err := c.Seal(json.RawMessage(`{"a":1}`), now)
		require.NoError(t, err)
		_, err = c.Open(set, now)
		require.NoError(t, err)
	})
}

func TestAStrangersRequestIsBounded(t *testing.T) {
	vectors.Bounded(t, open(t, flask.Config{}), vector(t, "plain").Request(), now)
}

func TestCookiesPrintNoSecret(t *testing.T) {
	vectors.PrintsNothing(t, open(t, flask.Config{}), secret)
}

func FuzzOpen(f *testing.F) {
	if fips.Only() {
		f.Skip("HMAC-SHA1 cannot work under fips140=only, which TestNew shows")
	}
	vectors.Fuzz(f, open(f, flask.Config{}), now, vectors.Load(f, "flask"))
}

// FuzzClaims chooses what is signed: nothing panics, and what opens is sealed so that it opens with the same content.
func FuzzClaims(f *testing.F) {
	if fips.Only() {
		f.Skip("HMAC-SHA1 cannot work under fips140=only, which TestNew shows")
	}
	c := open(f, flask.Config{})
	for _, v := range vectors.Load(f, "flask") {
		f.Add([]byte(v.Text), false)
		f.Add(deflated(v.Text), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, compressed bool) {
		text := base64.RawURLEncoding.EncodeToString(body)
		if compressed {
			text = "." + text
		}
		opened, err := c.Open(forge(text, now), now)
		if err != nil {
			require.True(t, vectors.Sentinel(err), "%v", err)
			return
		}
		set, err := c.Seal(opened.Claims, now)
		if err != nil {
			require.ErrorIs(t, err, signet.ErrTooLarge)
			return
		}
		again, err := c.Open(set, now)
		if set[0].MaxAge < 0 {
			require.ErrorIs(t, err, http.ErrNoCookie)
			return
		}
		require.NoError(t, err)
		vectors.SameJSON(t, opened.Claims, again.Claims)
	})
}
