package django_test

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/compat/django"
	"github.com/signet-go/signet/compat/internal/fips"
	"github.com/signet-go/signet/compat/internal/vectors"
	"github.com/stretchr/testify/require"
)

const secret = "test-only-django-secret-1"

var now = time.Unix(1790000000, 0)

// from is the configuration that a vector was made with. Django takes stamps of the future, hence the skew.
func from(t *testing.T, v vectors.Vector) signet.ForeignFormat {
	options := vectors.Decode[struct {
		Salt, Algorithm string
		MaxAge          int `json:"max_age"`
	}](t, v.Options)
	if options.Algorithm == "sha1" && fips.Only() {
		t.Skip("HMAC-SHA1 cannot work under fips140=only, which TestNew shows")
	}
	return open(t, django.Config{
		SecretKey: vectors.Secrets(t, v)[0], SessionCookieName: v.CookieName, Salt: options.Salt,
		SessionCookieAge: time.Duration(options.MaxAge) * time.Second,
		AllowSHA1:        options.Algorithm == "sha1", ClockSkew: 48 * time.Hour,
	})
}

func open(t testing.TB, cfg django.Config) *django.Cookies {
	t.Helper()
	if cfg.SecretKey == "" {
		cfg.SecretKey = secret
	}
	c, err := django.New(cfg)
	require.NoError(t, err)
	return c
}

func vector(t testing.TB, name string) vectors.Vector {
	return vectors.Named(t, vectors.Load(t, "django"), name)
}

func sessions(t testing.TB) (all []vectors.Vector) {
	for _, v := range vectors.Load(t, "django") {
		if v.Name != "signed-cookie" {
			all = append(all, v)
		}
	}
	return all
}

func TestVectorsOfTheRealFramework(t *testing.T) { vectors.Run(t, sessions(t), from) }

func TestASignedCookieOfTheRealFramework(t *testing.T) {
	v, c := vector(t, "signed-cookie"), open(t, django.Config{})
	value, err := c.Signed(v.Request(), "lang", "", time.Minute, now)
	require.NoError(t, err)
	require.Equal(t, "de", value)
	value, err = open(t, django.Config{SecretKey: "x", SecretKeyFallbacks: []string{secret}}).Signed(v.Request(), "lang", "", time.Minute, now)
	require.NoError(t, err)
	require.Equal(t, "de", value)
	_, err = c.Signed(v.Request(), "lang", "", 0, now)
	require.ErrorContains(t, err, "needs a maxAge")
	for name, row := range map[string]struct {
		c                *django.Cookies
		cookie, as, salt string
		now              time.Time
		want             error
	}{
		"under another name":                      {c, v.CookieValue, "gnal", "", now, signet.ErrInvalid},
		"with another salt":                       {c, v.CookieValue, "lang", "x", now, signet.ErrInvalid},
		"of another secret":                       {open(t, django.Config{SecretKey: "x"}), v.CookieValue, "lang", "", now, signet.ErrInvalid},
		"too old":                                 {c, v.CookieValue, "lang", "", now.Add(61 * time.Second), signet.ErrExpired},
		"changed":                                 {c, "en" + v.CookieValue[2:], "lang", "", now, signet.ErrInvalid},
		"a session is none":                       {c, vector(t, "plain").CookieValue, "lang", "", now, signet.ErrInvalid},
		"nor is one that HMAC-SHA1 signed":        {open(t, django.Config{AllowSHA1: !fips.Only()}), vector(t, "sha1").CookieValue, "lang", "", now, signet.ErrInvalid},
		"and none is http.ErrNoCookie":            {c, "", "lang", "", now, http.ErrNoCookie},
		"a stamp further ahead than 5 minutes":    {c, v.CookieValue, "lang", "", now.Add(-301 * time.Second), signet.ErrClockSkew},
		"a MAC without a stamp, or no MAC at all": {c, "de", "lang", "", now, signet.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := row.c.Signed(vectors.Cookies(row.as, row.cookie), row.as, row.salt, time.Minute, row.now)
			require.ErrorIs(t, err, row.want)
		})
	}
	_, err = c.Open(vectors.Cookies("sessionid", v.CookieValue), now)
	require.ErrorIs(t, err, signet.ErrInvalid, "a signed cookie is no session")
}

func TestAVisitorMovesIn(t *testing.T) {
	for _, name := range []string{"plain", "types", "unicode", "compressed", "login", "set-expiry", "age-equals-max-age", "bytes-secret", "future", "sha1"} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.MovesIn(t, from(t, v), v.Request(), v.Time())
		})
	}
}

func TestABadCookieIsANewVisitorAndCounted(t *testing.T) {
	for name, want := range map[string]error{
		"expired": signet.ErrExpired, "tampered": signet.ErrInvalid, "wrong-key": signet.ErrInvalid, "wrong-salt": signet.ErrInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, name)
			vectors.IsNew(t, from(t, v), v.Request(), v.Time(), want)
		})
	}
	t.Run("wrong name", func(t *testing.T) {
		vectors.IsNew(t, open(t, django.Config{SessionCookieName: "sid"}), vector(t, "plain").Request(), now, http.ErrNoCookie)
	})
	t.Run("stamped further ahead than 5 minutes, which Django would take", func(t *testing.T) {
		c := open(t, django.Config{})
		set, err := c.Seal(json.RawMessage(`{"a":1}`), now)
		require.NoError(t, err)
		vectors.MovesIn(t, c, set, now.Add(-300*time.Second))
		vectors.IsNew(t, c, set, now.Add(-301*time.Second), signet.ErrClockSkew)
	})
	t.Run("signed with HMAC-SHA1, without AllowSHA1", func(t *testing.T) {
		vectors.IsNew(t, open(t, django.Config{}), vector(t, "sha1").Request(), now, signet.ErrInvalid)
	})
	t.Run("half a second too old", func(t *testing.T) {
		v := vector(t, "age-equals-max-age")
		vectors.IsNew(t, from(t, v), v.Request(), now.Add(500*time.Millisecond), signet.ErrExpired)
	})
	t.Run("the id of a session on the server says what to set", func(t *testing.T) {
		cookies := vectors.Cookies("sessionid", "0123456789abcdefghijklmnopqrstuv")
		vectors.IsNew(t, open(t, django.Config{}), cookies, now, signet.ErrInvalid)
		_, err := open(t, django.Config{}).Open(cookies, now)
		require.ErrorContains(t, err, "SESSION_ENGINE")
	})
	t.Run("a pickle says what to set", func(t *testing.T) {
		_, err := open(t, django.Config{}).Open(forge(plain("\x80\x04}\x94\x8c\x01a\x94K\x01s."), now), now)
		require.ErrorIs(t, err, signet.ErrInvalid)
		require.ErrorContains(t, err, "SESSION_SERIALIZER")
	})
}

func TestWhatSetExpirySaidIsKept(t *testing.T) {
	c := open(t, django.Config{})
	for name, row := range map[string]struct {
		claims string
		opens  time.Duration // the last instant
		maxAge int
	}{
		"nothing":                               {`{"a":1}`, 14 * 24 * time.Hour, 1209600},
		"300 s":                                 {`{"a":1,"_session_expiry":300}`, 300*time.Second - 1, 300},
		"0: until the browser ends":             {`{"a":1,"_session_expiry":0}`, 14 * 24 * time.Hour, 0},
		"longer than SESSION_COOKIE_AGE":        {`{"a":1,"_session_expiry":9999999}`, 14 * 24 * time.Hour, 9999999},
		"an instant":                            {`{"a":1,"_session_expiry":"2026-09-21T14:23:20+00:00"}`, 600*time.Second - 1, 600},
		"something that nobody can read, hence": {`{"a":1,"_session_expiry":[]}`, 14 * 24 * time.Hour, 1209600},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := c.Seal(json.RawMessage(row.claims), now)
			require.NoError(t, err)
			require.Equal(t, row.maxAge, set[0].MaxAge)
			f, err := c.Open(set, now.Add(row.opens))
			require.NoError(t, err)
			require.True(t, f.Expires.After(now.Add(row.opens)))
			_, err = c.Open(set, now.Add(row.opens+1))
			require.ErrorIs(t, err, signet.ErrExpired)
		})
	}
}

func TestNoChangeOfACookieChangesTheSession(t *testing.T) {
	for _, name := range []string{"plain", "compressed"} {
		v := vector(t, name)
		vectors.Attack(t, from(t, v), v.Request(), v.Time())
	}
}

// forge signs a body as Django would, whatever it is.
func forge(body string, at time.Time) []*http.Cookie {
	key := sha256.Sum256([]byte("django.contrib.sessions.backends.signed_cookies" + "signer" + secret))
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	stamp := ""
	for n := at.Unix(); n > 0; n /= 62 {
		stamp = digits[n%62:n%62+1] + stamp
	}
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte(body + ":" + stamp))
	return vectors.Cookies("sessionid", body+":"+stamp+":"+base64.RawURLEncoding.EncodeToString(m.Sum(nil)))
}

func plain(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func packed(text string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return "." + base64.RawURLEncoding.EncodeToString(b.Bytes())
}

func TestWhatIsSignedButNoSessionIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":             plain(`{"a":`),
		"an array":            plain(`[1]`),
		"NaN":                 plain(`{"a":NaN}`),
		"nesting of 101":      plain(`{"a":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}`),
		"zlib of 262,145":     packed(`{"a":"` + strings.Repeat("b", 262_145-8) + `"}`),
		"no zlib":             "." + plain(`{"a":1}`),
		"base64 with padding": plain(`{"a":1}`) + "=",
		"nothing":             "",
		"a body with a colon": plain(`{"a":1}`) + ":",
		"262,145 as Django reads it, since é is two characters": packed(`{"a":"` + strings.Repeat("é", 131_069) + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, django.Config{}).Open(forge(body, now), now)
			require.ErrorIs(t, err, signet.ErrInvalid)
		})
	}
	t.Run("but bytes above ASCII are read as Django does, as Latin-1", func(t *testing.T) {
		f, err := open(t, django.Config{}).Open(forge(plain("{\"a\":\"\xe9\"}"), now), now)
		require.NoError(t, err)
		require.Equal(t, `{"a":"é"}`, string(f.Claims))
	})
}

func TestTheLastOfTwoCookiesGoesFirst(t *testing.T) {
	c := open(t, django.Config{})
	a, b := forge(plain(`{"u":"a"}`), now), forge(plain(`{"u":"b"}`), now)
	f, err := c.Open(append(a, b...), now)
	require.NoError(t, err)
	require.JSONEq(t, `{"u":"b"}`, string(f.Claims))
	f, err = c.Open(append(a, vectors.Cookies("sessionid", "x")...), now)
	require.NoError(t, err)
	require.JSONEq(t, `{"u":"a"}`, string(f.Claims))
}

func TestFallbacksOpenAndTheSecretKeySeals(t *testing.T) {
	old := open(t, django.Config{SecretKey: "test-only-django-secret-0"})
	both := open(t, django.Config{SecretKeyFallbacks: []string{"x", "test-only-django-secret-0"}})
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

func TestSealedSessionsOpen(t *testing.T) { vectors.RoundTrips(t, open(t, django.Config{}), now) }

func TestTheCookieHasDjangosAttributes(t *testing.T) {
	for name, row := range map[string]struct {
		cfg  django.Config
		want string
	}{
		"by default":             {django.Config{}, "Path=/; Expires=Mon, 05 Oct 2026 14:13:20 GMT; Max-Age=1209600; HttpOnly; SameSite=Lax"},
		"until the browser ends": {django.Config{SessionExpireAtBrowserClose: true}, "Path=/; HttpOnly; SameSite=Lax"},
		"every setting": {django.Config{SessionCookieAge: time.Minute, SessionCookieDomain: "example.com", SessionCookiePath: "/app", SessionCookieSecure: true,
			SessionCookieSameSite: http.SameSiteNoneMode, DangerouslyAllowScripts: true},
			"Path=/app; Domain=example.com; Expires=Mon, 21 Sep 2026 14:14:20 GMT; Max-Age=60; Secure; SameSite=None"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := open(t, row.cfg).Seal(json.RawMessage(`{"a":1}`), now)
			require.NoError(t, err)
			_, attributes, _ := strings.Cut(set[0].String(), "; ")
			require.Equal(t, row.want, attributes)
		})
	}
	t.Run("an empty session deletes the cookie", func(t *testing.T) {
		set, err := open(t, django.Config{}).Seal(json.RawMessage(`{}`), now)
		require.NoError(t, err)
		require.Equal(t, "sessionid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", set[0].String())
	})
	t.Run("what Django cannot read is not sealed", func(t *testing.T) {
		for _, claims := range []string{`[]`, ``, `{"a":NaN}`, `{"a":` + strings.Repeat("1", 4301) + `}`} {
			_, err := open(t, django.Config{}).Seal(json.RawMessage(claims), now)
			require.ErrorContains(t, err, "would make Django fail")
		}
	})
	t.Run("nor is what a browser would drop", func(t *testing.T) {
		var noise strings.Builder
		sum := sha256.Sum256(nil)
		for noise.Len() < 5000 {
			noise.WriteString(base64.RawStdEncoding.EncodeToString(sum[:]))
			sum = sha256.Sum256(sum[:])
		}
		_, err := open(t, django.Config{}).Seal(json.RawMessage(`{"basket":"`+noise.String()+`"}`), now)
		var large *signet.TooLargeError
		require.ErrorAs(t, err, &large)
		require.Contains(t, large.Fields[0], "basket")
	})
}

func TestNew(t *testing.T) {
	for name, row := range map[string]struct {
		cfg  django.Config
		want string
	}{
		"without a secret":         {django.Config{}, "django: SecretKey is empty"},
		"with an empty fallback":   {django.Config{SecretKey: secret, SecretKeyFallbacks: []string{""}}, "django: SecretKeyFallbacks[0] is empty"},
		"with a name of two words": {django.Config{SecretKey: secret, SessionCookieName: "a b"}, "cannot be a cookie's name"},
		"with half a second":       {django.Config{SecretKey: secret, SessionCookieAge: 1500 * time.Millisecond}, "django: SessionCookieAge 1.5s"},
		"with a skew below zero":   {django.Config{SecretKey: secret, ClockSkew: -1}, "django: ClockSkew -1ns"},
		"with SameSite=None alone": {django.Config{SecretKey: secret, SessionCookieSameSite: http.SameSiteNoneMode}, "needs Secure"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := django.New(row.cfg)
			require.ErrorContains(t, err, row.want)
		})
	}
	t.Run("says all problems at once", func(t *testing.T) {
		_, err := django.New(django.Config{ClockSkew: -1})
		require.ErrorContains(t, err, "SecretKey")
		require.ErrorContains(t, err, "ClockSkew")
	})
	t.Run("under fips140=only says what cannot work", func(t *testing.T) {
		_, err := django.New(django.Config{SecretKey: secret, AllowSHA1: true})
		require.Equal(t, fips.Only(), err != nil)
	})
}

func TestAStrangersRequestIsBounded(t *testing.T) {
	vectors.Bounded(t, open(t, django.Config{}), vector(t, "plain").Request(), now)
}

func TestCookiesPrintNoSecret(t *testing.T) {
	vectors.PrintsNothing(t, open(t, django.Config{AllowSHA1: !fips.Only()}), secret)
}

func FuzzOpen(f *testing.F) { vectors.Fuzz(f, open(f, django.Config{}), now, sessions(f)) }

// FuzzClaims chooses what is signed: nothing panics, and what opens is sealed so that it opens with the same content.
func FuzzClaims(f *testing.F) {
	c := open(f, django.Config{})
	for _, v := range sessions(f) {
		f.Add(plain(v.Text))
		f.Add(packed(v.Text))
	}
	f.Fuzz(func(t *testing.T, body string) {
		opened, err := c.Open(forge(body, now), now)
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
